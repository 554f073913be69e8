// Placing with a mouse or pen. A finger scrolls; it has the buttons.
import { $, origin } from '../shell/dom'
import { choose, lift, panel } from './choice'
import { cursor, grid, type Spot, spotAt, spotOf } from './grid'

export interface Dropped {
  item: HTMLElement | null
  exam: string
  spot: Spot
}

interface Carried {
  item: HTMLElement | null
  exam: string
  minutes: number
  /** How far below its top the thing was taken, in minutes. */
  grip: number
  x: number
  y: number
  begun: boolean
}

const THRESHOLD = 4
let carried: Carried | null = null

export const dragging = () => carried?.begun ?? false

function pick(event: PointerEvent): void {
  if (event.button !== 0 || event.pointerType === 'touch' || !grid()) return
  const from = origin(event)
  const item = from?.closest<HTMLElement>('.ap[data-movable]') ?? null
  const exam = from?.closest<HTMLElement>('[data-drag-exam]') ?? null
  if (!item && !exam) return
  if (exam && from?.closest('a:not([data-drag-exam]), button, input')) return
  const length = item ? spotOf(item).length : Math.ceil(Number(exam?.dataset.minutes ?? 30) / 5) * 5
  const under = item ? spotAt(event.clientX, event.clientY, length) : null
  carried = {
    item,
    exam: exam?.dataset.dragExam ?? '',
    minutes: length,
    grip: item && under ? Math.max(0, under.minutes - spotOf(item).minutes) : 0,
    x: event.clientX,
    y: event.clientY,
    begun: false,
  }
}

function spotOfPointer(event: PointerEvent): Spot | null {
  if (!carried) return null
  const spot = spotAt(event.clientX, event.clientY, carried.minutes)
  return spot && { ...spot, minutes: spot.minutes - carried.grip }
}

function carry(event: PointerEvent): void {
  if (!carried) return
  if (!carried.begun) {
    if (Math.hypot(event.clientX - carried.x, event.clientY - carried.y) < THRESHOLD) return
    carried.begun = true
    document.body.classList.add('dragging')
    lift(carried.item)
  }
  event.preventDefault()
  const spot = spotOfPointer(event)
  choose(spot)
  const mark = cursor()
  if (mark && spot && carried.exam && carried.exam !== panel()?.dataset.exam) dress(mark, spot)
  scrollAtEdge(event)
}

/** An exam from the list is not the panel's yet: the cursor shows its own length. */
function dress(mark: HTMLElement, spot: Spot): void {
  mark.classList.add('ap--hold')
  mark.className = mark.className.replace(/for-\d+/, `for-${spot.length}`)
}

function scrollAtEdge(event: PointerEvent): void {
  const area = $('#day-scroll')
  if (!area) return
  const box = area.getBoundingClientRect()
  if (event.clientY < box.top + 32) area.scrollTop -= 12
  else if (event.clientY > box.bottom - 32) area.scrollTop += 12
}

function end(): Carried | null {
  const was = carried
  carried = null
  document.body.classList.remove('dragging')
  return was?.begun ? was : null
}

export function startDrag(dropped: (what: Dropped) => void): void {
  document.addEventListener('pointerdown', pick)
  document.addEventListener('pointermove', carry)
  document.addEventListener('dragstart', (event) => event.preventDefault())
  document.addEventListener('pointerup', (event) => {
    const spot = spotOfPointer(event)
    const was = end()
    if (!was) return
    addEventListener('click', swallow, { capture: true, once: true })
    setTimeout(() => removeEventListener('click', swallow, { capture: true }), 0)
    if (spot) dropped({ item: was.item, exam: was.exam, spot })
    else drop()
  })
  document.addEventListener('pointercancel', () => {
    if (end()) drop()
  })
  document.addEventListener(
    'keydown',
    (event) => {
      if (event.key !== 'Escape' || !dragging()) return
      event.preventDefault()
      event.stopPropagation()
      end()
      drop()
    },
    { capture: true },
  )
}

function drop(): void {
  lift(null)
  choose(null)
}

function swallow(event: Event): void {
  event.preventDefault()
  event.stopPropagation()
}
