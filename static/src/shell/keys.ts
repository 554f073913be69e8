// One keyboard map per page.
//
// A key comes from one of four places, the first that has it wins:
//   1. <script type="application/json" id="keymap">: [{"keys", "label", "click" | "href" | "event", "group"}]
//   2. [data-key="c"] on the button or link it presses; its words are data-key-label, aria-label or its text
//   3. the rows of a list (rows.ts) and other modules of the page, through `register`
//   4. the keys that hold everywhere, below
// `?` shows them all. Letters act only when no field has the focus.
import { $, $$, isField, isVisible, origin } from './dom'

export interface Key {
  keys: string
  label: string
  group: string
  run: (event: KeyboardEvent) => void
  /** Whether it acts now; a key that does not is left to others. */
  when?: () => boolean
}

interface Declared {
  keys: string
  label: string
  group?: string
  click?: string
  href?: string
  event?: string
}

const registered: Key[] = []
const PREFIX_WAIT = 1500
let prefix = ''
let prefixTimer = 0

/** Adds keys of a module; they last as long as the page. */
export function register(...keys: Key[]): void {
  registered.push(...keys)
}

/** `Ctrl+Enter`, `Shift+1`, `J`, `?`: a letter or digit by its cap, a sign by itself. */
export function keyName(event: KeyboardEvent): string {
  const parts: string[] = []
  let key = event.key
  const digit = /^Digit(\d)$/.exec(event.code)
  if (event.ctrlKey || event.metaKey) parts.push('Ctrl')
  if (event.altKey) parts.push('Alt')
  if (digit?.[1] && (event.shiftKey || event.altKey)) key = digit[1]
  const sign = key.length === 1 && !/[\p{L}\p{N} ]/u.test(key)
  if (event.shiftKey && !sign) parts.push('Shift')
  parts.push(key === ' ' ? 'Space' : key.length === 1 ? key.toUpperCase() : key)
  return parts.join('+')
}

const same = (a: string, b: string) => a.toUpperCase() === b.toUpperCase()

function declared(): Key[] {
  const source = $('#keymap')
  if (!source?.textContent) return []
  return (JSON.parse(source.textContent) as Declared[]).map((d) => ({
    keys: d.keys,
    label: d.label,
    group: d.group ?? 'This page',
    run: () => {
      if (d.href) location.href = d.href
      else if (d.click) $(d.click)?.click()
      else if (d.event) document.dispatchEvent(new CustomEvent(d.event))
    },
    when: () => !d.click || $(d.click) !== null,
  }))
}

function labelOf(element: HTMLElement): string {
  const words = element.dataset.keyLabel ?? element.getAttribute('aria-label')
  if (words) return words
  const copy = element.cloneNode(true) as HTMLElement
  for (const extra of copy.querySelectorAll('kbd, .keys, svg, .n, .vh')) extra.remove()
  return copy.textContent?.trim().replace(/\s+/g, ' ') ?? ''
}

function buttons(scope: ParentNode): Key[] {
  return $$('[data-key]', scope)
    .filter(isVisible)
    .flatMap((element) =>
      (element.dataset.key ?? '').split(',').map((keys) => ({
        keys: keys.trim(),
        label: labelOf(element),
        group: 'This page',
        run: () => {
          if (isField(element)) element.focus()
          else element.click()
        },
      })),
    )
}

function navigation(): Key[] {
  return $$<HTMLAnchorElement>('.rail a[data-goto]').map((link) => ({
    keys: `G ${(link.dataset.goto ?? '').toUpperCase()}`,
    label: labelOf(link),
    group: 'Go to',
    run: () => {
      location.href = link.href
    },
  }))
}

function openDialog(): HTMLDialogElement | null {
  return $$<HTMLDialogElement>('dialog[open]').at(-1) ?? null
}

/** Every key that acts on this page now, strongest first; inside a dialog only the dialog's own. */
export function allKeys(): Key[] {
  const dialog = openDialog()
  if (dialog) return buttons(dialog)
  return [...declared(), ...buttons(document), ...registered, ...navigation()].filter((k) => !k.when || k.when())
}

function clearPrefix(): void {
  prefix = ''
  clearTimeout(prefixTimer)
}

/** Single letters can be switched off (WCAG 2.1.4): chords with Ctrl or Alt and named keys stay. */
function silenced(name: string): boolean {
  return document.documentElement.dataset.singleKeys === 'off' && name.length === 1 && name !== '?'
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || ['Control', 'Shift', 'Alt', 'Meta'].includes(event.key)) return
  const name = keyName(event)
  const typing = isField(origin(event))
  const chord = event.ctrlKey || event.metaKey || event.altKey || /^F\d+$/.test(event.key)
  if (typing && name === 'Escape' && !openDialog()) {
    ;(origin(event) as HTMLElement).blur()
    return
  }
  if (typing && !chord) return
  if (!prefix && silenced(name)) return
  const keys = allKeys()
  const wanted = prefix ? `${prefix} ${name}` : name
  const hit = keys.find((k) => same(k.keys, wanted))
  if (hit) {
    clearPrefix()
    // Enter and Space on a button or link press that button, not the row behind it.
    const on = origin(event)
    if ((name === 'Enter' || name === 'Space') && on?.matches('a[href], button, summary, input, [role="button"]')) return
    event.preventDefault()
    hit.run(event)
    return
  }
  const starts = !prefix && keys.some((k) => k.keys.toUpperCase().startsWith(`${wanted.toUpperCase()} `))
  clearPrefix()
  if (starts) {
    event.preventDefault()
    prefix = wanted
    prefixTimer = window.setTimeout(clearPrefix, PREFIX_WAIT)
  }
}

const CAPS: Record<string, string> = {
  Enter: '↵',
  ArrowUp: '↑',
  ArrowDown: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
  Escape: 'Esc',
}

export function keycaps(keys: string): HTMLSpanElement {
  const span = document.createElement('span')
  span.className = 'keys'
  for (const part of keys === '+' ? ['+'] : keys.split(/[ +]/)) {
    const cap = document.createElement('kbd')
    cap.textContent = CAPS[part] ?? part
    span.append(cap)
  }
  return span
}

function helpList(group: string, keys: Key[]): HTMLElement {
  const section = document.createElement('section')
  const heading = document.createElement('h3')
  heading.textContent = group
  const list = document.createElement('ul')
  const byLabel = new Map<string, string[]>()
  for (const key of keys) byLabel.set(key.label, [...(byLabel.get(key.label) ?? []), key.keys])
  for (const [label, caps] of byLabel) {
    const item = document.createElement('li')
    const words = document.createElement('span')
    words.textContent = label
    const all = document.createElement('span')
    all.className = 'row'
    all.append(...[...new Set(caps)].map(keycaps))
    item.append(words, all)
    list.append(item)
  }
  section.append(heading, list)
  return section
}

/** Shows every key of the page; the list is made from the map itself, so it cannot be out of date. */
export function showHelp(): void {
  const dialog = $<HTMLDialogElement>('#keys-dialog')
  const body = dialog && $('[data-keys]', dialog)
  if (!dialog || !body || dialog.open) return
  const groups = new Map<string, Key[]>()
  for (const key of allKeys()) groups.set(key.group, [...(groups.get(key.group) ?? []), key])
  body.replaceChildren(...[...groups].map(([group, keys]) => helpList(group, keys)))
  dialog.showModal()
}

export function startKeys(): void {
  register(
    { keys: '?', label: 'Show these keys', group: 'Everywhere', run: showHelp },
    {
      keys: '/',
      label: 'Filter this list',
      group: 'Everywhere',
      when: () => $('[data-filter]') !== null,
      run: () => {
        const field = $<HTMLInputElement>('[data-filter]')
        field?.focus()
        field?.select()
      },
    },
    {
      keys: 'Escape',
      label: 'Back, close',
      group: 'Everywhere',
      when: () => $('[data-back]') !== null,
      run: () => $('[data-back]')?.click(),
    },
  )
  register({
    keys: '.',
    label: 'Actions here',
    group: 'Everywhere',
    when: () => $('[data-actions]') !== null,
    run: () => $('[data-actions]')?.click(),
  })
  document.addEventListener('keydown', onKey)
  document.addEventListener('click', (event) => {
    if (origin(event)?.closest('[data-do="keys"]')) showHelp()
  })
}
