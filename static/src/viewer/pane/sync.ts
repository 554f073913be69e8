/** Scrolling together and reference lines: places in the patient, not image numbers. */

import type { Frame } from '../dicom/frame'
import { along, commonNormal, nearest } from '../dicom/sort'
import { addScaled, dot, type Vec3 } from '../dicom/vectors'
import type { Pane } from './pane'

const PARALLEL = 0.95

function normalOf(pane: Pane): Vec3 | undefined {
  return pane.images && commonNormal(pane.images.frames)
}

/** Offsets in mm between stacks of different frames of reference, taken when they were linked. */
export class ScrollLink {
  private readonly offsets = new Map<string, number>()

  private key(from: Pane, to: Pane): string {
    return `${from.images?.id} ${to.images?.id}`
  }

  forget(): void {
    this.offsets.clear()
  }

  /** The image of `to` that lies where the image of `from` lies; undefined where that means nothing. */
  target(from: Pane, to: Pane): number | undefined {
    const [a, b] = [normalOf(from), normalOf(to)]
    const [frame, other] = [from.frame, to.frame]
    if (!a || !b || !frame || !other || !to.images) return undefined
    if (Math.abs(dot(a, b)) < PARALLEL) return undefined
    const place = along(frame, b)
    if (frame.frameOfReference && frame.frameOfReference === other.frameOfReference) {
      return this.within(to.images.frames, b, place)
    }
    // Another scanner position: keep the distance that the reader set between the two.
    const key = this.key(from, to)
    const offset = this.offsets.get(key)
    if (offset === undefined) return undefined
    return this.within(to.images.frames, b, place + offset)
  }

  /** Remember how two stacks of different frames of reference lie to each other now. */
  take(from: Pane, to: Pane): void {
    const normal = normalOf(to)
    if (!normal || !from.frame || !to.frame) return
    const gap = along(to.frame, normal) - along(from.frame, normal)
    this.offsets.set(this.key(from, to), gap)
    this.offsets.set(this.key(to, from), -gap)
  }

  private within(frames: readonly Frame[], normal: Vec3, place: number): number | undefined {
    return nearest(frames, normal, place)?.index
  }
}

type Segment = readonly [readonly [number, number], readonly [number, number]]

/** Where the plane shown in `from` cuts the image shown in `to`, in canvas points of `to`. */
export function referenceLine(from: Pane, to: Pane): Segment | undefined {
  const [plane, target] = [from.frame, to.frame]
  if (!plane?.position || !plane.orientation || !target?.position || !target.orientation) return undefined
  if (!plane.frameOfReference || plane.frameOfReference !== target.frameOfReference || !to.ready) return undefined
  if (Math.abs(dot(plane.orientation.normal, target.orientation.normal)) > PARALLEL) return undefined
  const { normal } = plane.orientation
  const origin = plane.position
  const { position, orientation } = target
  const spacing = target.spacing ?? { row: 1, column: 1 }
  const corner = (column: number, row: number): { image: readonly [number, number]; side: number } => {
    const across = addScaled(position, orientation.row, column * spacing.column)
    const world = addScaled(across, orientation.column, row * spacing.row)
    return { image: [column, row], side: dot(normal, addScaled(world, origin, -1)) }
  }
  const [w, h] = [target.columns - 0.5, target.rows - 0.5]
  const corners = [corner(-0.5, -0.5), corner(w, -0.5), corner(w, h), corner(-0.5, h)]
  const cuts = corners.flatMap((p, i) => {
    const q = corners[(i + 1) % 4] as (typeof corners)[number]
    if (p.side === q.side || p.side * q.side > 0) return []
    const k = p.side / (p.side - q.side)
    return [to.view.toCanvas([p.image[0] + k * (q.image[0] - p.image[0]), p.image[1] + k * (q.image[1] - p.image[1])])]
  })
  const [first, second] = cuts
  return first && second ? [first, second] : undefined
}
