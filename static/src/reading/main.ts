// The reading list: the keys that act on the selected exam, its preview, filters that act at once.
import { $, $$, origin } from '../shell/dom'
import htmx from '../shell/htmx'
import { register } from '../shell/keys'
import { activeList, rowsOf, select, selectedRow } from '../shell/rows'

const selected = (): HTMLElement | null => {
  const list = activeList()
  return list ? selectedRow(list) : null
}

/** Posts to the selected exam's address; the server answers with a toast or sends the page elsewhere. */
function act(action: string): void {
  const item = selected()?.dataset.item
  if (item) void htmx.ajax('POST', `/reading/${item}/${action}/`, { swap: 'none', target: '#list' })
}

function showDialog(id: string): void {
  $<HTMLDialogElement>(`#${id}`)?.showModal()
}

function togglePreview(): void {
  const side = $('#preview')
  const button = $('[data-do="preview"]')
  if (!side) return
  const narrow = innerWidth < 1280
  const shown = narrow ? side.classList.toggle('side--page') : !side.toggleAttribute('hidden')
  button?.setAttribute('aria-pressed', String(shown))
}

/** After an act the list comes by itself; the preview of the same exam is asked for again. */
function refreshPreview(): void {
  const row = selected()
  if (row?.dataset.preview && !$('#preview dialog[open]')) {
    void htmx.ajax('GET', row.dataset.preview, { target: '#preview', swap: 'innerHTML' })
  }
}

function moreRows(url: string): void {
  const list = $('#list')
  if (!list) return
  list.setAttribute('hx-get', url)
  htmx.trigger(list, 'refresh')
}

register(
  ...[
    { keys: 'C', label: 'Claim, give back', action: 'toggle' },
    { keys: 'R', label: 'Write the report', action: 'report' },
  ].map(({ keys, label, action }) => ({
    keys,
    label,
    group: 'This page',
    when: () => selected() !== null,
    run: () => act(action),
  })),
  {
    keys: 'H',
    label: 'Hand off',
    group: 'This page',
    when: () => $('#hand-dialog') !== null,
    run: () => showDialog('hand-dialog'),
  },
  { keys: 'N', label: 'Next for me', group: 'This page', run: () => $('[data-do="next"]')?.click() },
  { keys: 'Space', label: 'Preview', group: 'This page', run: togglePreview },
  {
    keys: 'F',
    label: 'Filter',
    group: 'This page',
    run: () => $<HTMLSelectElement>('#filters select')?.focus(),
  },
  ...Array.from({ length: 9 }, (_, i) => ({
    keys: `Shift+${i + 1}`,
    label: `List ${i + 1}`,
    group: 'Lists',
    when: () => $(`#tab-${i + 1}`) !== null,
    run: () => $(`#tab-${i + 1}`)?.click(),
  })),
)

document.addEventListener('iso:open', (event) => {
  event.preventDefault()
  act('open')
})
document.addEventListener('change', (event) => {
  const field = origin(event)
  if (field instanceof HTMLSelectElement) field.closest<HTMLFormElement>('#filters')?.requestSubmit()
})
document.addEventListener('submit', (event) => {
  const form = origin(event)
  if (!(form instanceof HTMLFormElement) || form.id !== 'filters') return
  for (const field of $$<HTMLInputElement>('input, select', form)) field.disabled = !field.value
})
addEventListener('pageshow', () => {
  for (const field of $$<HTMLInputElement>('#filters :disabled')) field.disabled = false
})
document.addEventListener('click', (event) => {
  const pressed = origin(event)?.closest<HTMLElement>('[data-do]')
  switch (pressed?.dataset.do) {
    case 'preview':
      togglePreview()
      break
    case 'more':
      moreRows(pressed.dataset.url ?? '')
      break
    case 'keep-list':
      showDialog('keep-dialog')
      break
    case 'force':
      showDialog('force-dialog')
      break
    case 'close-dialog':
      pressed.closest('dialog')?.close()
      break
  }
})
document.addEventListener('toast', () => {
  $<HTMLDialogElement>('#preview dialog[open]')?.close()
  refreshPreview()
})


const list = activeList()
const first = list && !selectedRow(list) ? rowsOf(list)[0] : null
if (first) select(first, false)

