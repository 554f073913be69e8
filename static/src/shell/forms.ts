// Small conveniences of forms: a box or list that sends its form at once, a button that fills a field.
import { $, origin } from './dom'

/** Writes a value into a field: the demonstration accounts of the sign-in page. */
function fill(button: HTMLElement): void {
  const field = $<HTMLInputElement>(button.dataset.into ?? '')
  if (!field) return
  field.value = button.dataset.value ?? ''
  const next = $<HTMLInputElement>(button.dataset.then ?? '')
  ;(next ?? field).focus()
}

export function startForms(): void {
  document.addEventListener('click', (event) => {
    const pressed = origin(event)?.closest<HTMLElement>('[data-do="fill"]')
    if (pressed) fill(pressed)
  })
  document.addEventListener('change', (event) => {
    const field = origin(event)
    if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) {
      if ('submit' in field.dataset) field.form?.requestSubmit()
    }
  })
}
