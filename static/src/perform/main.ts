// The technologist's page: the dialog that asks why an exam is stopped.
import { $, origin } from '../shell/dom'
import htmx from '../shell/htmx'

function openStop(button: HTMLElement): void {
  const dialog = $<HTMLDialogElement>('#stop-dialog')
  const form = dialog && $<HTMLFormElement>('form', dialog)
  const who = dialog && $('[data-who]', dialog)
  if (!dialog || !form || !who) return
  form.action = button.dataset.url ?? ''
  who.textContent = button.dataset.who ?? ''
  dialog.showModal()
}

document.addEventListener('click', (event) => {
  const action = origin(event)?.closest<HTMLElement>('[data-do]')
  if (action?.dataset.do === 'stop') openStop(action)
  else if (action?.dataset.do === 'close-dialog') action.closest('dialog')?.close()
})

document.addEventListener('submit', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || !('stop' in form.dataset)) return
  event.preventDefault()
  const values = Object.fromEntries([...new FormData(form)].map(([k, v]) => [k, String(v)]))
  form.closest('dialog')?.close()
  void htmx.ajax('POST', form.action, { target: '#room', swap: 'innerMorph', values })
})
