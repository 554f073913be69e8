/** Tables and overlays that metadata only points to, fetched before the image that needs them. */

import { type Frame, frameOf } from '../dicom/frame'
import { getBytes } from '../net/client'

/** Our own server under the address the page has, whatever name metadata was made under. */
function ours(uri: string): string {
  const { pathname, search } = new URL(uri, location.href)
  return pathname + search
}

/**
 * Complete the frame; what cannot be had stays missing. Palettes and look-up tables then leave the image to
 * the server, an overlay is reported on the image.
 */
export async function complete(frame: Frame, signal: AbortSignal): Promise<void> {
  const { missing } = frame
  if (!missing.length) return
  const came = await Promise.allSettled(missing.map(async (element) => {
    const { bytes } = await getBytes(ours(element.BulkDataURI ?? ''), 'application/octet-stream', signal)
    element.bytes = bytes
  }))
  if (signal.aborted) throw new DOMException('no longer wanted', 'AbortError')
  const instanceUrl = frame.url.replace(/\/frames\/\d+$/, '')
  Object.assign(frame, frameOf(frame.dataset, frame.number - 1, instanceUrl))
  if (came.some((result) => result.status === 'rejected')) frame.notes.push('Parts did not come')
}
