/** The order of images in a series: geometry, then acquisition time, then instance number. */

import type { Frame } from './frame'
import { dot, type Vec3 } from './vectors'

/** The common normal of frames that are parallel and placed in one frame of reference. */
export function commonNormal(frames: readonly Frame[]): Vec3 | undefined {
  const first = frames[0]?.orientation?.normal
  if (!first || frames.length < 2) return undefined
  const same = frames.every((f) =>
    f.position && f.orientation && f.frameOfReference === frames[0]?.frameOfReference
    && dot(f.orientation.normal, first) > 0.999)
  return same ? first : undefined
}

export function along(frame: Frame, normal: Vec3): number {
  return frame.position ? dot(frame.position, normal) : 0
}

const NEAR_MM = 0.01

function byTimeThenNumber(a: Frame, b: Frame): number {
  const time = a.time - b.time
  if (Number.isFinite(time) && time !== 0) return time
  return a.instanceNumber - b.instanceNumber || a.number - b.number || (a.sopUid < b.sopUid ? -1 : 1)
}

/**
 * Sorted copy. Slices run the way their instance numbers do, as the technologist sees them on the scanner;
 * without a tendency they run from feet to head, front to back, right to left by the normal.
 */
export function sorted(frames: readonly Frame[]): Frame[] {
  const normal = commonNormal(frames)
  if (!normal) return [...frames].sort(byTimeThenNumber)
  const mean = (list: number[]) => list.reduce((sum, v) => sum + v, 0) / list.length
  const places = frames.map((f) => along(f, normal))
  const numbers = frames.map((f) => f.instanceNumber * 10_000 + f.number)
  const [p, n] = [mean(places), mean(numbers)]
  const tendency = places.reduce((sum, place, i) => sum + (place - p) * ((numbers[i] as number) - n), 0)
  const sign = tendency < 0 ? -1 : 1
  return [...frames].sort((a, b) => {
    const gap = along(a, normal) - along(b, normal)
    return Math.abs(gap) > NEAR_MM ? sign * gap : byTimeThenNumber(a, b)
  })
}

/** Index of the frame nearest to a place along `normal`, and how far it is, in mm. */
export function nearest(
  frames: readonly Frame[], normal: Vec3, place: number,
): { index: number; gap: number } | undefined {
  let best: { index: number; gap: number } | undefined
  frames.forEach((frame, index) => {
    if (!frame.position) return
    const gap = Math.abs(along(frame, normal) - place)
    if (!best || gap < best.gap) best = { index, gap }
  })
  return best
}
