/** Pictures made by the server, for what the browser should not decode (PS3.18 8.3.5.1.3 and 10.4.1.1.3). */

import { type Types, utilities } from '@cornerstonejs/core'
import type { Frame } from '../dicom/frame'
import type { Window } from '../dicom/windows'
import { getBytes } from '../net/client'

const FUNCTIONS = { LINEAR: 'linear', LINEAR_EXACT: 'linear-exact', SIGMOID: 'sigmoid' } as const

export function renderedUrl(frame: Frame, window?: Window): string {
  const { url } = frame
  if (!window) return `${url}/rendered`
  return `${url}/rendered?window=${window.center},${window.width},${FUNCTIONS[window.function]}`
}

async function rgb(bytes: Uint8Array<ArrayBuffer>, type: string) {
  const bitmap = await createImageBitmap(new Blob([bytes], { type }), { colorSpaceConversion: 'none' })
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
  const context = canvas.getContext('2d', { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D
  context.drawImage(bitmap, 0, 0)
  const { width, height } = bitmap
  bitmap.close()
  const rgba = context.getImageData(0, 0, width, height).data
  const pixels = new Uint8Array(width * height * 3)
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    pixels[to++] = rgba[from] as number
    pixels[to++] = rgba[from + 1] as number
    pixels[to++] = rgba[from + 2] as number
  }
  return { pixels, width, height }
}

/** The frame as the server draws it, as an 8-bit colour image of Cornerstone's. */
export async function loadRendered(
  frame: Frame, window: Window | undefined, signal: AbortSignal,
): Promise<Types.IImage> {
  const { bytes, type } = await getBytes(renderedUrl(frame, window), 'image/png, image/jpeg;q=0.5', signal)
  const { pixels, width, height } = await rgb(bytes, type)
  // The server may send a smaller picture than the frame; the world keeps its size.
  const scale = frame.columns ? frame.columns / width : 1
  const voxelManager = utilities.VoxelManager.createImageVoxelManager({
    scalarData: pixels, width, height, numberOfComponents: 3,
  })
  return {
    imageId: frame.imageId,
    color: true,
    rgba: false,
    dataType: 'Uint8Array',
    numberOfComponents: 3,
    columns: width,
    rows: height,
    width,
    height,
    columnPixelSpacing: (frame.spacing?.column ?? 1) * scale,
    rowPixelSpacing: (frame.spacing?.row ?? 1) * scale,
    minPixelValue: 0,
    maxPixelValue: 255,
    slope: 1,
    intercept: 0,
    windowCenter: 128,
    windowWidth: 256,
    invert: false,
    sizeInBytes: pixels.byteLength,
    voxelManager,
    getPixelData: () => pixels,
    getCanvas: undefined,
  } as unknown as Types.IImage
}
