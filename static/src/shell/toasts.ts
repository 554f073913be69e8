// What was done, said once, with its undo. Ten seconds, longer while it is pointed at or focused.
//
// From the server: `apps.core.toasts.toast(response, "CT head linked", undo_url=...)`, or Django's
// messages on the next page. From a module: `toast({text, tone, undo})`.
import { $, $$, iconHref, origin, post } from './dom'
import { register } from './keys'

export interface Toast {
  text: string
  tone?: 'done' | 'attn' | 'crit'
  /** Address that takes it back by POST, or what to do here where the page itself knows how. */
  undo?: string | (() => void)
  undo_words?: string
}

const LASTS = 10_000
const KEPT = 30
const STORE = 'iso-toasts'
const undoHere = new WeakMap<HTMLElement, () => void>()
const SVG = 'http://www.w3.org/2000/svg'

function icon(name: string): SVGElement {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('class', 'i')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS(SVG, 'use')
  use.setAttribute('href', iconHref(name))
  svg.append(use)
  return svg
}

function button(className: string, action: string, words: string): HTMLButtonElement {
  const b = document.createElement('button')
  b.type = 'button'
  b.className = className
  b.dataset.do = action
  b.textContent = words
  return b
}

function expire(element: HTMLElement): void {
  let timer = 0
  const start = () => {
    timer = window.setTimeout(() => element.remove(), LASTS)
  }
  const stop = () => clearTimeout(timer)
  element.addEventListener('pointerenter', stop)
  element.addEventListener('pointerleave', start)
  element.addEventListener('focusin', stop)
  element.addEventListener('focusout', start)
  start()
}

interface Said {
  at: string
  text: string
}

function saidBefore(): Said[] {
  return JSON.parse(sessionStorage.getItem(STORE) ?? '[]') as Said[]
}

/** A toast that was missed can be read again, for as long as the tab is open. */
function keep(text: string): void {
  const time = new Date()
  const at = `${String(time.getHours()).padStart(2, '0')}:${String(time.getMinutes()).padStart(2, '0')}`
  sessionStorage.setItem(STORE, JSON.stringify([{ at, text }, ...saidBefore()].slice(0, KEPT)))
}

function showLog(): void {
  const dialog = $<HTMLDialogElement>('#log-dialog')
  const list = dialog && $('[data-log]', dialog)
  if (!dialog || !list) return
  const items = saidBefore().map(({ at, text }) => {
    const item = document.createElement('li')
    const words = document.createElement('span')
    words.textContent = text
    const time = document.createElement('time')
    time.textContent = at
    item.append(icon('clock'), words, time)
    return item
  })
  list.replaceChildren(...items)
  dialog.toggleAttribute('data-none', items.length === 0)
  $('#account-menu')?.hidePopover()
  dialog.showModal()
}

export function toast({ text, tone = 'done', undo, undo_words = 'Undo' }: Toast): void {
  const region = $('.toasts')
  if (!region) return
  keep(text)
  const element = document.createElement('div')
  element.className = tone === 'done' ? 'toast' : `toast toast--${tone}`
  element.dataset.toast = ''
  const words = document.createElement('span')
  words.textContent = text
  const space = document.createElement('span')
  space.className = 'sp'
  element.append(icon(tone === 'done' ? 's-check' : 's-alert'), words, space)
  if (undo) {
    const b = button('btn btn--quiet', 'toast-undo', undo_words)
    if (typeof undo === 'string') b.dataset.url = undo
    else undoHere.set(b, undo)
    const cap = document.createElement('kbd')
    cap.textContent = 'U'
    b.append(cap)
    element.append(b)
  }
  const close = button('ib ib--s', 'toast-close', '')
  close.setAttribute('aria-label', 'Close')
  close.append(icon('x'))
  element.append(close)
  region.append(element)
  expire(element)
}

async function takeBack(b: HTMLElement): Promise<void> {
  const here = undoHere.get(b)
  if (here) {
    b.closest('[data-toast]')?.remove()
    here()
    return
  }
  const url = b.dataset.url
  if (!url) return
  b.setAttribute('aria-busy', 'true')
  const answer = await post(url)
  b.closest('[data-toast]')?.remove()
  if (!answer.ok) {
    toast({ text: 'This can no longer be undone. Nothing was changed.', tone: 'attn' })
    return
  }
  const headers = answer.headers.get('HX-Trigger')
  const events = headers?.startsWith('{') ? (JSON.parse(headers) as Record<string, Toast>) : {}
  toast(events.toast ?? { text: 'Undone' })
  document.dispatchEvent(new CustomEvent('iso:refresh'))
}

const lastUndo = () => $$('[data-do="toast-undo"]').at(-1)

/** Words for an answer that htmx does not show in the page. */
function refusal(status: number): string {
  if (status === 403) return 'Your role may not do this. Nothing was changed.'
  if (status === 404) return 'This is not there any more, or not yours to see.'
  if (status === 409) return 'Somebody changed this in the meantime. Nothing was changed; the page shows how it is now.'
  if (status === 401) return 'You are signed out. Sign in again in another tab; what you typed stays here.'
  return `The server could not do this (${status}). Nothing was changed.`
}

interface ErrorDetail {
  ctx?: { response?: { status: number; raw?: Response } }
}

export function startToasts(): void {
  for (const element of $$('[data-toast]')) {
    keep($('span', element)?.textContent ?? '')
    expire(element)
  }
  register({
    keys: 'U',
    label: 'Undo',
    group: 'Everywhere',
    when: () => lastUndo() !== undefined,
    run: () => {
      const b = lastUndo()
      if (b) void takeBack(b)
    },
  })
  document.addEventListener('click', (event) => {
    const pressed = origin(event)?.closest<HTMLElement>('[data-do^="toast-"]')
    if (pressed?.dataset.do === 'toast-log') {
      showLog()
      return
    }
    if (pressed?.dataset.do === 'toast-undo') void takeBack(pressed)
    else pressed?.closest('[data-toast]')?.remove()
  })
  document.addEventListener('toast', (event) => toast((event as CustomEvent<Toast>).detail))
  document.addEventListener('htmx:response:error', (event) => {
    const response = (event as CustomEvent<ErrorDetail>).detail.ctx?.response
    if (!response || response.status === 422 || response.raw?.headers.get('HX-Trigger')) return
    toast({ text: refusal(response.status), tone: 'crit' })
    if (response.status === 409) document.dispatchEvent(new CustomEvent('iso:refresh'))
  })
  document.addEventListener('htmx:error', () =>
    toast({ text: 'No answer from the server. Nothing was changed; try again.', tone: 'crit' }),
  )
}
