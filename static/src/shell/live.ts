// Regions that keep themselves up to date: data-live="reading" and an htmx request that loads the region.
//
//   <section id="list" data-live="reading" hx-get="/reading/?list=stat" hx-trigger="refresh" hx-swap="innerMorph">
//
// A message about one of the page's topics refreshes its regions. The selected row, the focus and what is
// in view stay where they are; rows that arrive above what is in view are counted in a pill.
import { $, $$, iconHref } from './dom'
import htmx from './htmx'
import { restore, rowsOf, selectedRow } from './rows'

const CALM = 250
const waiting = new Map<HTMLElement, number>()

const topicsOf = (region: HTMLElement) => (region.dataset.live ?? '').split(' ').filter(Boolean)
const regions = () => $$('[data-live][id]')

function refresh(region: HTMLElement): void {
  if (waiting.has(region)) return
  waiting.set(
    region,
    window.setTimeout(() => {
      waiting.delete(region)
      if (region.isConnected) htmx.trigger(region, 'refresh')
    }, CALM),
  )
}

/** Refreshes the regions of these topics; without topics, all. */
export function refreshTopics(topics?: string[]): void {
  for (const region of regions()) {
    if (!topics || topicsOf(region).some((t) => topics.includes(t))) refresh(region)
  }
}

function light(state: 'on' | 'off'): void {
  const element = $('[data-live-light]')
  if (!element) return
  element.dataset.state = state
  const words = $('[data-live-words]', element)
  if (words) words.textContent = state === 'on' ? 'Live' : 'Not live, trying again'
}

interface Anchor {
  scroller: HTMLElement
  id: string
  top: number
  known: Set<string>
}

const anchors = new WeakMap<HTMLElement, Anchor>()

function scrollerOf(region: HTMLElement): HTMLElement | null {
  return region.matches('.scroll') ? region : ($('.scroll', region) ?? region.closest<HTMLElement>('.scroll'))
}

/** Before a swap: remember where the selected row (or the first row in view) stands. */
function hold(region: HTMLElement): void {
  const scroller = scrollerOf(region)
  const rows = rowsOf(region)
  if (!scroller || !rows.length || !scroller.scrollTop) {
    anchors.delete(region)
    return
  }
  const top = scroller.getBoundingClientRect().top
  const inView = (row: Element) => row.getBoundingClientRect().bottom > top + 28
  const chosen = selectedRow(region)
  const row = chosen && inView(chosen) ? chosen : rows.find(inView)
  if (!row) return
  const known = new Set(rows.map((r) => r.id))
  anchors.set(region, { scroller, id: row.id, top: row.getBoundingClientRect().top, known })
}

function settle(region: HTMLElement): void {
  restore()
  const anchor = anchors.get(region)
  if (!anchor) return
  const row = document.getElementById(anchor.id)
  if (!row) return
  anchor.scroller.scrollTop += row.getBoundingClientRect().top - anchor.top
  const top = anchor.scroller.getBoundingClientRect().top
  const above = rowsOf(region).filter((r) => !anchor.known.has(r.id) && r.getBoundingClientRect().bottom <= top + 28)
  if (above.length) pill(region, anchor.scroller, above.length)
}

function pill(region: HTMLElement, scroller: HTMLElement, count: number): void {
  const host = scroller.parentElement
  if (!host) return
  $('.fresh', host)?.remove()
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'fresh'
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('class', 'i i--s')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', iconHref('up'))
  svg.append(use)
  button.append(svg, `${count} new above`)
  const gone = () => {
    if (scroller.scrollTop < 8) {
      button.remove()
      scroller.removeEventListener('scroll', gone)
    }
  }
  button.addEventListener('click', () => {
    scroller.scrollTo({ top: 0 })
    button.remove()
    const first = rowsOf(region)[0]
    first?.focus({ preventScroll: true })
  })
  scroller.addEventListener('scroll', gone)
  host.append(button)
}

function connect(): void {
  const topics = [...new Set(regions().flatMap(topicsOf))]
  if (!topics.length) {
    $('[data-live-light]')?.remove()
    return
  }
  const query = new URLSearchParams(topics.map((t) => ['topic', t]))
  const source = new EventSource(`/live/?${query}`)
  let lost = false
  source.addEventListener('open', () => {
    light('on')
    if (lost) refreshTopics()
    lost = false
  })
  source.addEventListener('error', () => {
    lost = true
    light('off')
  })
  source.addEventListener('resync', () => refreshTopics())
  for (const topic of topics) source.addEventListener(topic, () => refreshTopics([topic]))
  addEventListener('pagehide', () => source.close())
}

const regionOf = (event: Event) => {
  const target = (event as CustomEvent<{ ctx?: { target?: Element } }>).detail?.ctx?.target
  return target instanceof Element ? target.closest<HTMLElement>('[data-live][id]') : null
}

export function startLive(): void {
  document.addEventListener('htmx:before:swap', (event) => {
    const region = regionOf(event)
    if (region) hold(region)
  })
  document.addEventListener('htmx:after:swap', (event) => {
    const region = regionOf(event)
    if (region) settle(region)
  })
  document.addEventListener('iso:refresh', () => refreshTopics())
  connect()
}
