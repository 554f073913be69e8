// A list with one selected row: [data-list] around [data-row] elements, each with an id.
//
//   data-href       Enter and double click go there
//   data-open       on an element inside the row: Enter clicks it instead (a form that claims, say)
//   data-preview    address of the preview; loaded into the list's data-preview-target
// A click, J, K and the arrows select; the event `iso:select` bubbles from the row, `iso:open` before
// it opens. One tab stop; the selection is kept by id when htmx replaces or morphs the rows.
import { $, $$, isField, isVisible, origin } from './dom'
import htmx from './htmx'
import { register } from './keys'

const PREVIEW_WAIT = 120
const selected = new Map<string, { id: string; index: number }>()
let previewTimer = 0

export const listOf = (row: Element) => row.closest<HTMLElement>('[data-list]')
export const rowsOf = (list: Element) => $$('[data-row]', list)

const markedBy = (row: Element) => (row.matches('tr, [role="row"], [role="option"]') ? 'aria-selected' : 'aria-current')

export function selectedRow(list: Element): HTMLElement | null {
  return $('[data-row][aria-selected="true"], [data-row][aria-current="true"]', list)
}

/** The list that keys act on: where the focus is, else the page's main one. */
export function activeList(): HTMLElement | null {
  const lists = $$('[data-list]').filter(isVisible)
  return lists.find((l) => l.contains(document.activeElement)) ?? lists.find((l) => 'main' in l.dataset) ?? lists[0] ?? null
}

function mark(list: HTMLElement, row: HTMLElement): void {
  for (const other of rowsOf(list)) {
    const attribute = markedBy(other)
    if (other === row) {
      other.setAttribute(attribute, 'true')
      other.tabIndex = 0
    } else {
      if (other.hasAttribute(attribute)) other.removeAttribute(attribute)
      other.tabIndex = -1
    }
  }
  selected.set(list.id, { id: row.id, index: rowsOf(list).indexOf(row) })
}

function preview(list: HTMLElement, row: HTMLElement): void {
  const target = list.dataset.previewTarget
  const url = row.dataset.preview
  clearTimeout(previewTimer)
  if (!target || !url || !$(target)) return
  previewTimer = window.setTimeout(() => void htmx.ajax('GET', url, { target, swap: 'innerHTML' }), PREVIEW_WAIT)
}

/** Makes one row the selected one, brings it into view and loads its preview. */
export function select(row: HTMLElement, focus = true): void {
  const list = listOf(row)
  if (!list) return
  mark(list, row)
  if (focus) row.focus({ preventScroll: true })
  row.scrollIntoView({ block: 'nearest' })
  row.dispatchEvent(new CustomEvent('iso:select', { bubbles: true }))
  preview(list, row)
}

export function open(row: HTMLElement): void {
  if (!row.dispatchEvent(new CustomEvent('iso:open', { bubbles: true, cancelable: true }))) return
  const inner = $('[data-open]', row)
  if (inner) inner.click()
  else if (row.dataset.href) location.href = row.dataset.href
}

function move(by: number): void {
  const list = activeList()
  if (!list) return
  const rows = rowsOf(list).filter(isVisible)
  const current = selectedRow(list)
  const at = current ? rows.indexOf(current) : -1
  const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))]
  if (next) select(next)
}

/** After a swap: the row that was selected is selected again; if it is gone, the one in its place. */
export function restore(): void {
  for (const list of $$('[data-list]')) {
    const rows = rowsOf(list)
    if (!rows.length) continue
    const kept = selected.get(list.id)
    const row =
      rows.find((r) => r.id && r.id === kept?.id) ??
      (kept ? rows[Math.min(kept.index, rows.length - 1)] : undefined) ??
      selectedRow(list)
    if (row) mark(list, row)
    else for (const [i, r] of rows.entries()) r.tabIndex = i ? -1 : 0
  }
}

function onClick(event: MouseEvent): void {
  const from = origin(event)
  const row = from?.closest<HTMLElement>('[data-row]')
  if (!row) return
  const control = from?.closest('a[href], button, input, label, select')
  if (control && control !== row) return
  select(row, row.tabIndex >= -1)
}

export function startRows(): void {
  const any = () => activeList() !== null
  const chosen = () => {
    const list = activeList()
    return list ? selectedRow(list) : null
  }
  const inList = { group: 'List', when: any }
  register(
    { ...inList, keys: 'J', label: 'Next row', run: () => move(1) },
    { ...inList, keys: 'K', label: 'Row before', run: () => move(-1) },
    { ...inList, keys: 'ArrowDown', label: 'Next row', run: () => move(1) },
    { ...inList, keys: 'ArrowUp', label: 'Row before', run: () => move(-1) },
    { ...inList, keys: 'Home', label: 'First row', run: () => move(-1e6) },
    { ...inList, keys: 'End', label: 'Last row', run: () => move(1e6) },
    {
      keys: 'Enter',
      label: 'Open',
      group: 'List',
      when: () => chosen() !== null,
      run: () => {
        const row = chosen()
        if (row) open(row)
      },
    },
  )
  document.addEventListener('click', onClick)
  document.addEventListener('dblclick', (event) => {
    const row = origin(event)?.closest<HTMLElement>('[data-row]')
    if (row && !isField(origin(event))) open(row)
  })
  // Morphing moves rows about, and a row that is moved loses the focus.
  let focused = ''
  document.addEventListener('htmx:before:swap', () => {
    focused = document.activeElement?.id ?? ''
  })
  document.addEventListener('htmx:after:swap', () => {
    restore()
    if (focused && document.activeElement === document.body) {
      document.getElementById(focused)?.focus({ preventScroll: true })
    }
  })
  restore()
  const first = $$('[data-list]').map(selectedRow).find((row) => row?.dataset.preview)
  if (first) {
    const list = listOf(first)
    const target = list?.dataset.previewTarget
    if (list && target && !$(target)?.childElementCount) preview(list, first)
  }
}
