/** What to fetch before it is asked for: a little around the image shown, then the rest of the stack. */

import { cache } from '@cornerstonejs/core'
import type { Frame } from '../dicom/frame'
import { outward } from '../dicom/order'
import { Priority } from '../net/queue'
import { forgetExcept, isLoaded, loadImage } from './loader'

const AROUND = 12
const SHARE = 0.6 // of the cache that prefetched stacks may fill

const wanted = new Map<readonly Frame[], Set<string>>()

/** How many images of this size may wait in memory. */
export function room(frame: Frame, limitBytes: number): number {
  const bytes = frame.rows * frame.columns * Math.max(frame.samples, frame.bitsAllocated > 8 ? 2 : 1)
  return Math.max(AROUND, Math.floor((limitBytes * SHARE) / Math.max(bytes, 1)))
}

/** Plan the loading of a stack around `at`; earlier plans for it that still wait are dropped. */
export function prefetch(frames: readonly Frame[], at: number): void {
  const here = frames[at]
  if (!here) return
  const order = outward(at, frames.length).slice(0, room(here, cache.getMaxCacheSize()))
  const ids = order.map((i) => (frames[i] as Frame).imageId)
  wanted.set(frames, new Set([here.imageId, ...ids]))
  forgetExcept(new Set([...wanted.values()].flatMap((set) => [...set])))
  ids.forEach((imageId, i) => {
    if (isLoaded(imageId)) return
    // A failed prefetch is told when its image is asked for.
    loadImage(imageId, i < 2 * AROUND ? Priority.Near : Priority.Rest).catch(() => undefined)
  })
}

/** Forget the plan for a stack that no viewport shows any more. */
export function stopPrefetch(keep: ReadonlySet<readonly Frame[]>): void {
  for (const frames of wanted.keys()) if (!keep.has(frames)) wanted.delete(frames)
  forgetExcept(new Set([...wanted.values()].flatMap((set) => [...set])))
}
