/** Mouse, pen, touch and wheel on a viewport. */

import type { Point } from '../dicom/calibration'
import { draggedWindow, type Window } from '../dicom/windows'
import type { Measurements } from '../measure/store'
import type { Pane } from './pane'

export type Tool = 'window' | 'scroll' | 'zoom' | 'pan' | 'length'
export type Host = {
  tool: Tool
  measurements: Measurements
  activate(pane: Pane): void
  windowChanged(pane: Pane): void
  fill(pane: Pane): void
}

const SCROLL_STEP_PX = 12
const CLICK_PX = 4
const WHEEL_STEP = 40

type Drag = {
  tool: Tool
  x: number
  y: number
  startX: number
  startY: number
  window?: Window
  rest: number
  edit?: { id: number; end: 'a' | 'b' }
}

/** An image point kept inside the image: a length has no end outside it. */
function inImage(pane: Pane, [column, row]: Point): Point {
  const { frame } = pane
  const clamp = (v: number, count: number) => Math.min(Math.max(v, -0.5), count - 0.5)
  return frame ? [clamp(column, frame.columns), clamp(row, frame.rows)] : [column, row]
}

export class Pointer {
  private readonly touches = new Map<number, { x: number; y: number }>()
  private drag?: Drag
  private drawing?: number // a length whose second end follows the pointer
  private wheel = 0

  constructor(private readonly pane: Pane, private readonly host: Host) {
    const { element } = pane
    element.addEventListener('pointerdown', (e) => this.down(e))
    element.addEventListener('pointermove', (e) => this.move(e))
    element.addEventListener('pointerup', (e) => this.up(e))
    element.addEventListener('pointercancel', (e) => this.up(e))
    element.addEventListener('wheel', (e) => this.onWheel(e), { passive: false })
    element.addEventListener('contextmenu', (e) => e.preventDefault())
    element.addEventListener('dblclick', () => {
      if (host.tool !== 'length') host.fill(pane)
    })
  }

  private at(event: { clientX: number; clientY: number }): Point {
    const box = this.pane.surface.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }

  private imagePoint(event: PointerEvent): Point {
    return inImage(this.pane, this.pane.view.toImage(this.at(event)))
  }

  private down(event: PointerEvent): void {
    this.host.activate(this.pane)
    if (!this.pane.images || !this.pane.ready) return
    if ((event.target as Element).closest('button, a')) return
    this.touches.set(event.pointerId, { x: event.clientX, y: event.clientY })
    this.pane.element.setPointerCapture(event.pointerId)
    if (this.touches.size > 1) {
      this.drag = undefined
      return
    }
    const tool = event.button === 1 ? 'pan' : event.button === 2 ? 'zoom' : this.host.tool
    const drag: Drag = {
      tool, x: event.clientX, y: event.clientY, startX: event.clientX, startY: event.clientY,
      window: this.pane.window, rest: 0,
    }
    const mark = (event.target as Element).closest<SVGElement>('[data-measure]')
    if (mark && event.button === 0 && this.drawing === undefined) {
      const id = Number(mark.dataset.measure)
      this.host.measurements.select(id)
      drag.edit = { id, end: (mark.dataset.end as 'a' | 'b' | undefined) ?? 'b' }
      if (!mark.dataset.end) return
    } else if (tool === 'length' && event.button === 0) {
      this.startLength(event, drag)
    }
    this.drag = drag
  }

  /** Press and pull, or press twice: no drag is needed (WCAG 2.5.7). */
  private startLength(event: PointerEvent, drag: Drag): void {
    const { measurements } = this.host
    const { frame } = this.pane
    if (!frame) return
    const point = this.imagePoint(event)
    if (this.drawing !== undefined) {
      measurements.move(this.drawing, 'b', point)
      this.drawing = undefined
      return
    }
    const made = measurements.add(frame, point, point)
    drag.edit = { id: made.id, end: 'b' }
    this.drawing = made.id
  }

  private move(event: PointerEvent): void {
    if (this.touches.size > 1 && this.touches.has(event.pointerId)) {
      this.pinch(event)
      return
    }
    if (!this.drag && this.drawing !== undefined) {
      this.host.measurements.move(this.drawing, 'b', this.imagePoint(event))
      return
    }
    const { drag } = this
    if (!drag) return
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y]
    drag.x = event.clientX
    drag.y = event.clientY
    if (drag.edit) this.host.measurements.move(drag.edit.id, drag.edit.end, this.imagePoint(event))
    else this.apply(drag, dx, dy)
  }

  private apply(drag: Drag, dx: number, dy: number): void {
    const { pane, host } = this
    if (drag.tool === 'window' && drag.window) {
      pane.setWindow(draggedWindow(drag.window, drag.x - drag.startX, drag.y - drag.startY))
      host.windowChanged(pane)
    } else if (drag.tool === 'scroll') {
      drag.rest += dy
      const steps = Math.trunc(drag.rest / SCROLL_STEP_PX)
      drag.rest -= steps * SCROLL_STEP_PX
      if (steps) pane.scroll(steps)
    } else if (drag.tool === 'zoom') {
      pane.zoom(Math.exp(-dy / 150), this.at({ clientX: drag.startX, clientY: drag.startY }))
    } else if (drag.tool === 'pan') {
      pane.pan(dx, dy)
    }
  }

  private up(event: PointerEvent): void {
    this.touches.delete(event.pointerId)
    const { drag } = this
    this.drag = undefined
    if (!drag?.edit || this.drawing !== drag.edit.id) return
    const far = Math.hypot(event.clientX - drag.startX, event.clientY - drag.startY) > CLICK_PX
    if (far || event.type === 'pointercancel') this.drawing = undefined
  }

  private pinch(event: PointerEvent): void {
    const before = [...this.touches.values()]
    this.touches.set(event.pointerId, { x: event.clientX, y: event.clientY })
    const after = [...this.touches.values()]
    const [a0, b0, a1, b1] = [before[0], before[1], after[0], after[1]]
    if (!a0 || !b0 || !a1 || !b1) return
    const gap = (p: { x: number; y: number }, q: { x: number; y: number }) => Math.hypot(p.x - q.x, p.y - q.y)
    const centre = (p: { x: number; y: number }, q: { x: number; y: number }) => ({ x: (p.x + q.x) / 2, y: (p.y + q.y) / 2 })
    const [from, to] = [centre(a0, b0), centre(a1, b1)]
    this.pane.pan(to.x - from.x, to.y - from.y)
    if (gap(a0, b0) > 10) this.pane.zoom(gap(a1, b1) / gap(a0, b0), this.at({ clientX: to.x, clientY: to.y }))
  }

  private onWheel(event: WheelEvent): void {
    event.preventDefault()
    this.host.activate(this.pane)
    if (event.ctrlKey) {
      this.pane.zoom(Math.exp(-event.deltaY / 300), this.at(event))
      return
    }
    // A mouse gives 100 or more a notch, a touch pad a stream of small numbers.
    this.wheel += event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 40 : event.deltaY
    const steps = Math.abs(event.deltaY) >= 100 ? Math.sign(event.deltaY) : Math.trunc(this.wheel / WHEEL_STEP)
    if (!steps) return
    this.wheel = 0
    this.pane.scroll(steps)
  }

  /** Give up a length half drawn. */
  cancel(): boolean {
    if (this.drawing === undefined) return false
    this.host.measurements.remove(this.drawing)
    this.drawing = undefined
    return true
  }
}
