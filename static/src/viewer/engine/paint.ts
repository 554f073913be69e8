/** Pixels to grey levels or colour, exactly and fast: one table per window, one pass per image. */

import type { Types } from '@cornerstonejs/core'
import type { Frame, OverlayPlane } from '../dicom/frame'
import { grey, greyTable, modalityValue, type Modality, type Voi } from '../dicom/voi'
import { type Window, windowFromPixels } from '../dicom/windows'

const BLACK = 0xff000000
const OVERLAY = 0xff_b4e6f0 // ABGR of a pale yellow
const TABLE_LIMIT = 1 << 17

export type Pixels = ArrayLike<number>

export function pixelsOf(image: Types.IImage): Pixels {
  return image.voxelManager?.getScalarData() ?? image.getPixelData()
}

export function modalityOf(frame: Frame): Modality {
  return { slope: frame.slope, intercept: frame.intercept, lut: frame.modalityLut }
}

/** High bits above Bits Stored may hold overlays; only the stored ones count. */
function mask(frame: Frame): number {
  return !frame.signed && frame.bitsStored < frame.bitsAllocated ? 2 ** frame.bitsStored - 1 : 0xffffffff
}

function extent(pixels: Pixels, bits: number): { min: number; max: number } {
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  const masked = bits !== 0xffffffff
  for (let i = 0; i < pixels.length; i++) {
    const raw = pixels[i] as number
    const value = masked ? raw & bits : raw
    if (value < min) min = value
    if (value > max) max = value
  }
  return { min, max }
}

export function paintGrey(frame: Frame, pixels: Pixels, voi: Voi, inverse: boolean, out: Uint32Array): void {
  const bits = mask(frame)
  const { min, max } = extent(pixels, bits)
  const modality = modalityOf(frame)
  const masked = bits !== 0xffffffff
  const padding = frame.padding
  if (max - min > TABLE_LIMIT || !Number.isInteger(min)) {
    for (let i = 0; i < out.length; i++) {
      const level = Math.round(grey(voi, modalityValue(modality, pixels[i] as number)))
      out[i] = BLACK | ((inverse ? 255 - level : level) * 0x010101)
    }
    return
  }
  const levels = greyTable(min, max, modality, voi, inverse)
  const table = new Uint32Array(levels.length)
  for (let i = 0; i < table.length; i++) table[i] = BLACK | ((levels[i] as number) * 0x010101)
  if (padding) {
    const from = Math.max(padding.low - min, 0)
    const to = Math.min(padding.high - min, table.length - 1)
    for (let i = from; i <= to; i++) table[i] = BLACK
  }
  if (masked) for (let i = 0; i < out.length; i++) out[i] = table[((pixels[i] as number) & bits) - min] as number
  else for (let i = 0; i < out.length; i++) out[i] = table[(pixels[i] as number) - min] as number
}

export function paintColour(pixels: Pixels, window: Window | undefined, inverse: boolean, out: Uint32Array): void {
  const step = pixels.length >= out.length * 4 ? 4 : 3
  const levels = greyTable(0, 255, { slope: 1, intercept: 0 }, {
    window: window ?? { center: 127.5, width: 255, function: 'LINEAR_EXACT', label: '' },
  }, inverse)
  for (let i = 0, at = 0; i < out.length; i++, at += step) {
    const r = levels[pixels[at] as number] as number
    const g = levels[pixels[at + 1] as number] as number
    const b = levels[pixels[at + 2] as number] as number
    out[i] = BLACK | (b << 16) | (g << 8) | r
  }
}

/** Overlay planes of group 60xx, drawn over the pixels. Source: PS3.3 C.9.2. */
export function paintOverlays(planes: readonly OverlayPlane[], columns: number, rows: number, out: Uint32Array): void {
  for (const plane of planes) {
    const [top, left] = plane.origin
    for (let y = 0; y < plane.rows; y++) {
      const row = y + top - 1
      if (row < 0 || row >= rows) continue
      for (let x = 0; x < plane.columns; x++) {
        const bit = y * plane.columns + x
        if (!((plane.bits[bit >> 3] as number) & (1 << (bit & 7)))) continue
        const column = x + left - 1
        if (column >= 0 && column < columns) out[row * columns + column] = OVERLAY
      }
    }
  }
}

/** The window of an image that brings none, over what its pixels really hold. */
export function measuredWindow(frame: Frame, pixels: Pixels): Window {
  const bits = mask(frame)
  const { min, max } = extent(pixels, bits)
  const { slope, intercept } = frame
  if (!Number.isFinite(min) || max - min > 1 << 20) return { center: 128, width: 256, function: 'LINEAR', label: '' }
  const histogram = new Float64Array(max - min + 1)
  const { padding } = frame
  for (let i = 0; i < pixels.length; i++) {
    const value = bits === 0xffffffff ? (pixels[i] as number) : (pixels[i] as number) & bits
    if (padding && value >= padding.low && value <= padding.high) continue
    histogram[Math.trunc(value - min)] = (histogram[Math.trunc(value - min)] as number) + 1
  }
  const stored = windowFromPixels(histogram, Math.trunc(min))
  return { ...stored, center: stored.center * slope + intercept, width: Math.max(1, stored.width * Math.abs(slope)) }
}
