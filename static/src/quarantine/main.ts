// The quarantine's list: choosing several objects for one decision.
import { activeList, selectedRow } from '../shell/rows'
import { $, $$, origin } from '../shell/dom'
import { register } from '../shell/keys'

const boxes = () => $$<HTMLInputElement>('#rows input[name="key"]')

/** Says how many are chosen; without one there is nothing to decide. */
function tell(): void {
  const all = boxes()
  const chosen = all.filter((box) => box.checked).length
  const words = $('[data-chosen]')
  if (words) words.textContent = chosen ? `${chosen} of ${all.length} chosen` : 'Nothing chosen'
  for (const button of $$<HTMLButtonElement>('[data-deed]')) button.disabled = !chosen
  const every = $<HTMLInputElement>('[data-do="all"]')
  if (every) {
    every.checked = chosen > 0 && chosen === all.length
    every.indeterminate = chosen > 0 && chosen < all.length
  }
}

function chooseCurrent(): void {
  const list = activeList()
  const row = list && selectedRow(list)
  const box = row && $<HTMLInputElement>('input[name="key"]', row)
  if (!box) return
  box.checked = !box.checked
  tell()
}

document.addEventListener('change', (event) => {
  const box = origin(event)
  if (!(box instanceof HTMLInputElement)) return
  if (box.dataset.do === 'all') for (const one of boxes()) one.checked = box.checked
  tell()
})
document.addEventListener('iso:refresh', () => location.reload())
register({ keys: 'X', label: 'Choose this object', group: 'List', when: () => boxes().length > 0, run: chooseCurrent })
tell()
