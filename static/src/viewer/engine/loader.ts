/** Cornerstone's image loader `isocenter:`: decode here, else let the server render, else say why not. */

import { cache, imageLoader, type Types } from '@cornerstonejs/core'
import { createImage } from '@cornerstonejs/dicom-image-loader'
import type { Frame } from '../dicom/frame'
import { contentProblem, nativeProblem } from '../dicom/support'
import { getBytes, transferSyntaxOf } from '../net/client'
import { Priority, RequestQueue } from '../net/queue'
import { complete } from './bulk'
import { frameById, renderedWindows } from './registry'
import { loadRendered } from './rendered'

const FRAMES = 'multipart/related; type=application/octet-stream; transfer-syntax=*'
const IMPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2'

/** How each loaded frame came to be shown. */
export type Source = { by: 'browser' | 'server'; transferSyntax: string; reason?: string }
const sources = new Map<string, Source>()
const queue = new RequestQueue<Types.IImage>()

export function sourceOf(imageId: string): Source | undefined {
  return sources.get(imageId)
}

export function isLoaded(imageId: string): boolean {
  return !!cache.getImage(imageId)
}

async function loadNative(frame: Frame, signal: AbortSignal): Promise<Types.IImage> {
  const { type, bytes } = await getBytes(frame.url, FRAMES, signal)
  const transferSyntax = transferSyntaxOf(type) || IMPLICIT_LITTLE_ENDIAN
  const problem = nativeProblem(frame, transferSyntax) ?? contentProblem(frame, transferSyntax, bytes)
  if (problem) throw new CannotDecode(problem, transferSyntax)
  // Stored values are kept: the window is applied to them through the modality LUT, exactly.
  const image = await createImage(frame.imageId, bytes as never, transferSyntax, {
    preScale: { enabled: false },
  } as never)
  sources.set(frame.imageId, { by: 'browser', transferSyntax })
  return image as Types.IImage
}

class CannotDecode extends Error {
  constructor(readonly reason: string, readonly transferSyntax: string) {
    super(reason)
  }
}

async function load(imageId: string, signal: AbortSignal): Promise<Types.IImage> {
  const frame = frameById(imageId)
  if (!frame) throw new Error(`unknown image ${imageId}`)
  await complete(frame, signal)
  let reason = sources.get(imageId)?.reason ?? nativeProblem(frame, frame.transferSyntax)
  let { transferSyntax } = frame
  if (!reason) {
    try {
      return await loadNative(frame, signal)
    } catch (error) {
      if (signal.aborted) throw error
      reason = error instanceof CannotDecode ? error.reason : `not decoded here (${error instanceof Error ? error.message : String(error)})`
      if (error instanceof CannotDecode) transferSyntax = error.transferSyntax
    }
  }
  const image = await loadRendered(frame, renderedWindows.get(imageId), signal).catch((error: unknown) => {
    throw signal.aborted ? error : new Error(`${reason}, and ${error instanceof Error ? error.message : String(error)}`)
  })
  sources.set(imageId, { by: 'server', transferSyntax, reason })
  return image
}

imageLoader.registerImageLoader('isocenter', (imageId: string) => ({
  promise: queue.add(imageId, Priority.Visible, (signal) => load(imageId, signal)) as Promise<never>,
}))

/** The image, from the cache or fetched with this priority. */
export function loadImage(imageId: string, priority: Priority): Promise<Types.IImage> {
  const loaded = cache.getImage(imageId)
  if (loaded) return Promise.resolve(loaded)
  const image = queue.add(imageId, priority, (signal) => load(imageId, signal))
  // Putting it into the cache under the same job keeps Cornerstone from asking a second time.
  return image.then(async (ready) => {
    if (!cache.getImageLoadObject(imageId)) {
      await cache.putImageLoadObject(imageId, { promise: Promise.resolve(ready) } as never)
    }
    return ready
  })
}

/** Drop waiting requests that no display needs any more. */
export function forgetExcept(keep: ReadonlySet<string>): void {
  queue.forget((imageId) => keep.has(imageId))
}

/** Show a server-rendered frame with another window: its picture must be made anew. */
export function setRenderedWindow(imageId: string, window: Frame['windows'][number] | undefined): void {
  if (window) renderedWindows.set(imageId, window)
  else renderedWindows.delete(imageId)
  if (cache.getImageLoadObject(imageId)) cache.removeImageLoadObject(imageId, { force: true })
}
