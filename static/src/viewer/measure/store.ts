/** The reader's measurements of this session, each tied to one frame of one object. */

import type { Frame } from '../dicom/frame'
import { type Measured, type Point, distance } from '../dicom/calibration'

export type Measurement = {
  id: number
  frame: Frame
  a: Point
  b: Point
}

export class Measurements {
  private readonly list: Measurement[] = []
  private next = 1
  selected?: number
  onChange: () => void = () => undefined

  get all(): readonly Measurement[] {
    return this.list
  }

  on(frame: Frame): Measurement[] {
    return this.list.filter((m) => m.frame.imageId === frame.imageId)
  }

  add(frame: Frame, a: Point, b: Point): Measurement {
    const made = { id: this.next++, frame, a, b }
    this.list.push(made)
    this.selected = made.id
    this.onChange()
    return made
  }

  move(id: number, end: 'a' | 'b', to: Point): void {
    const found = this.list.find((m) => m.id === id)
    if (!found) return
    found[end] = to
    this.onChange()
  }

  select(id: number | undefined): void {
    this.selected = id
    this.onChange()
  }

  /** Takes it away and returns how to put it back. */
  remove(id: number): (() => void) | undefined {
    const at = this.list.findIndex((m) => m.id === id)
    const [gone] = at < 0 ? [] : this.list.splice(at, 1)
    if (!gone) return undefined
    if (this.selected === id) this.selected = undefined
    this.onChange()
    return () => {
      this.list.splice(at, 0, gone)
      this.selected = gone.id
      this.onChange()
    }
  }
}

export function measured(m: Measurement): Measured {
  return distance(m.frame.calibration, m.a, m.b)
}
