// Where things stand in the grid: rooms (or days) across, five minutes a row.
import { $, $$ } from '../shell/dom'

export interface Spot {
  column: number
  /** Since the first instant of the column's date. */
  minutes: number
  length: number
}

export const SLOT = 5
const LONGEST = 720

export const grid = () => $('#grid')
export const cursor = () => $<HTMLButtonElement>('#cursor')
export const lanes = () => $$('[data-lane]', grid() ?? document)
export const laneOf = (column: number) => lanes().find((l) => Number(l.dataset.lane) === column)
export const items = () => $$<HTMLElement>('.ap[data-column]', grid() ?? document)

const pad = (n: number) => String(n).padStart(2, '0')
const firstMinute = () => Number(grid()?.dataset.first ?? 0) * 60
export const lastMinute = () => firstMinute() + Number(grid()?.dataset.hours ?? 0) * 60

export function spotOf(item: HTMLElement): Spot {
  return {
    column: Number(item.dataset.column),
    minutes: Number(item.dataset.minutes),
    length: Number(item.dataset.length),
  }
}

/** Puts an element into a place by the classes of timegrid.css. */
export function place(element: HTMLElement, { column, minutes, length }: Spot): void {
  const kept = [...element.classList].filter((c) => !/^(rm|at|for)-/.test(c))
  const long = Math.max(SLOT, Math.min(LONGEST, length - (length % SLOT)))
  element.className = [...kept, `rm-${column}`, `at-${pad(Math.floor(minutes / 60))}${pad(minutes % 60)}`, `for-${long}`].join(' ')
}

/** The spot under a point of the window, within the grid. */
export function spotAt(x: number, y: number, length: number): Spot | null {
  const lane = lanes().find((l) => {
    const box = l.getBoundingClientRect()
    return x >= box.left && x < box.right
  })
  const area = grid()?.getBoundingClientRect()
  if (!lane || !area || y < area.top || y >= area.bottom) return null
  const row = area.height / (Number(grid()?.dataset.hours) * 12)
  const minutes = firstMinute() + Math.floor((y - area.top) / row) * SLOT
  return { column: Number(lane.dataset.lane), minutes, length }
}

export function clamped(spot: Spot): Spot {
  const columns = lanes().length
  return {
    column: Math.max(1, Math.min(columns, spot.column)),
    minutes: Math.max(firstMinute(), Math.min(lastMinute() - SLOT, spot.minutes)),
    length: spot.length,
  }
}

/** The instant of a spot, as the server takes it. */
export function instantOf(spot: Spot): string {
  const midnight = Date.parse(laneOf(spot.column)?.dataset.midnight ?? '')
  return new Date(midnight + spot.minutes * 60_000).toISOString()
}

export function spotOfInstant(room: string, instant: string, length: number): Spot | null {
  const moment = Date.parse(instant)
  for (const lane of lanes()) {
    const minutes = (moment - Date.parse(lane.dataset.midnight ?? '')) / 60_000
    if (lane.dataset.room === room && minutes >= 0 && minutes < 25 * 60 && isDate(lane, moment))
      return { column: Number(lane.dataset.lane), minutes, length }
  }
  return null
}

function isDate(lane: HTMLElement, moment: number): boolean {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: grid()?.dataset.zone }).format(moment) === lane.dataset.date
}

export function clockOf(spot: Spot): string {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone: grid()?.dataset.zone,
    hour: '2-digit',
    minute: '2-digit',
  }).format(Date.parse(instantOf(spot)))
}

const DAY = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' })

export function dayOf(spot: Spot): string {
  const date = laneOf(spot.column)?.dataset.date ?? ''
  return date === grid()?.dataset.today ? 'today' : DAY.format(Date.parse(`${date}T12:00:00Z`))
}

export const roomOf = (spot: Spot) => laneOf(spot.column)?.dataset.name ?? ''
export const wordsOf = (spot: Spot) => `${roomOf(spot)}, ${dayOf(spot)} ${clockOf(spot)}`

/** The appointment that stands at a minute of a column. */
export function itemAt(column: number, minutes: number): HTMLElement | undefined {
  return items().find((i) => {
    const at = spotOf(i)
    return at.column === column && at.minutes <= minutes && minutes < at.minutes + at.length
  })
}

/** Whether a place overlaps another appointment; the server has the last word. */
export function clashes(spot: Spot, except?: HTMLElement): boolean {
  const end = spot.minutes + spot.length
  return items().some((i) => {
    if (i === except || i.dataset.s === 'appt.noshow' || !i.dataset.appointment) return false
    const at = spotOf(i)
    return at.column === spot.column && at.minutes < end && spot.minutes < at.minutes + at.length
  })
}
