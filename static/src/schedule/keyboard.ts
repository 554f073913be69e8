// Arrows move by slot and room. On an appointment its own button has the focus, on a free place the
// cursor has it, so that a screen reader says where one is.
import { $ } from '../shell/dom'
import { register } from '../shell/keys'
import { choose, current, length, movingItem } from './choice'
import { clamped, cursor, grid, itemAt, items, lanes, type Spot, spotOf } from './grid'

const STRIDE = 15

function start(): Spot {
  const chosen = current()
  if (chosen) return chosen
  const line = $('#now-line')
  const at = line && /at-(\d\d)(\d\d)/.exec(line.className)
  const minutes = at ? Number(at[1]) * 60 + Math.ceil(Number(at[2]) / STRIDE) * STRIDE : Number(grid()?.dataset.first) * 60
  return clamped({ column: 1, minutes, length: length() })
}

function here(): { spot: Spot; item: HTMLElement | null } {
  const focused = document.activeElement
  const item = focused instanceof HTMLElement && focused.matches('.ap[data-column]') ? focused : null
  return { spot: item ? spotOf(item) : start(), item }
}

function goTo(spot: Spot): void {
  const next = clamped(spot)
  const item = movingItem() ? undefined : itemAt(next.column, next.minutes)
  if (item) {
    focus(item)
    return
  }
  choose({ ...next, length: length() })
  const mark = cursor()
  if (mark) focus(mark)
}

function focus(element: HTMLElement): void {
  for (const other of items()) other.tabIndex = other === element ? 0 : -1
  element.tabIndex = 0
  element.focus({ preventScroll: true })
  element.scrollIntoView({ block: 'nearest', inline: 'nearest' })
}

function vertical(direction: 1 | -1, stride: number): void {
  const { spot, item } = here()
  if (!current() && !item) {
    goTo(spot)
    return
  }
  const from = item && direction > 0 ? spot.minutes + spot.length : spot.minutes
  let to = item && direction > 0 ? from : Math.round((from + direction * stride) / stride) * stride
  if (!item && stride === STRIDE && direction > 0) to = Math.floor(from / stride) * stride + stride
  if (!movingItem()) {
    const low = Math.min(from, to)
    const high = Math.max(from, to)
    const between = items()
      .filter((i) => i !== item && spotOf(i).column === spot.column)
      .filter((i) => spotOf(i).minutes + spotOf(i).length > low && spotOf(i).minutes <= high && overlapsStep(i, low, high))
      .sort((a, b) => direction * (spotOf(a).minutes - spotOf(b).minutes))[0]
    if (between) {
      focus(between)
      return
    }
  }
  goTo({ ...spot, minutes: to })
}

function overlapsStep(item: HTMLElement, low: number, high: number): boolean {
  const at = spotOf(item)
  return at.minutes < high || (at.minutes === high && low !== high) || (at.minutes <= low && low < at.minutes + at.length)
}

function sideways(by: 1 | -1): void {
  const { spot, item } = here()
  if (!current() && !item) goTo(spot)
  else goTo({ ...spot, column: spot.column + by })
}

export function startKeyboard(): void {
  const group = 'Schedule'
  const when = () => grid() !== null && lanes().length > 0
  const key = (keys: string, label: string, run: () => void) => register({ keys, label, group, when, run })
  key('ArrowDown', 'Later', () => vertical(1, STRIDE))
  key('ArrowUp', 'Earlier', () => vertical(-1, STRIDE))
  key('Shift+ArrowDown', 'Five minutes later', () => vertical(1, 5))
  key('Shift+ArrowUp', 'Five minutes earlier', () => vertical(-1, 5))
  key('ArrowRight', 'Next room', () => sideways(1))
  key('ArrowLeft', 'Room before', () => sideways(-1))
}
