/** From stored pixel value to grey level: modality LUT, VOI LUT, presentation (PS3.3 C.11, PS3.4 N.2). */

import type { Window } from './windows'

export type Lut = { first: number; bits: number; data: ArrayLike<number> }
export type Modality = { slope: number; intercept: number; lut?: Lut }

function entry(lut: Lut, value: number): number {
  const index = Math.min(Math.max(Math.round(value) - lut.first, 0), lut.data.length - 1)
  return lut.data[index] as number
}

export function modalityValue(modality: Modality, stored: number): number {
  return modality.lut ? entry(modality.lut, stored) : stored * modality.slope + modality.intercept
}

/** One value through a window, 0 to 255 unrounded. Source: PS3.3 C.11.2.1.2 and C.11.2.1.3. */
export function windowed(window: Window, x: number): number {
  const { center: c, width: w } = window
  if (window.function === 'SIGMOID') return 255 / (1 + Math.exp((-4 * (x - c)) / w))
  const [low, span] = window.function === 'LINEAR_EXACT' ? [c - w / 2, w] : [c - 0.5 - (w - 1) / 2, w - 1]
  if (x <= low) return 0
  if (x > low + span) return 255
  return span > 0 ? ((x - low) / span) * 255 : 255
}

/** One value through a VOI LUT, 0 to 255. */
export function looked(lut: Lut, x: number): number {
  return (entry(lut, x) / (2 ** lut.bits - 1)) * 255
}

/** What turns a modality value into a grey level. */
export type Voi = { window: Window } | { lut: Lut }

export function grey(voi: Voi, x: number): number {
  return 'lut' in voi ? looked(voi.lut, x) : windowed(voi.window, x)
}

/** Grey levels of every stored value from `min` to `max`, rounded, inverted where asked. */
export function greyTable(
  min: number, max: number, modality: Modality, voi: Voi, inverse: boolean,
): Uint8ClampedArray {
  const table = new Uint8ClampedArray(max - min + 1)
  for (let i = 0; i < table.length; i++) {
    const level = grey(voi, modalityValue(modality, min + i))
    table[i] = inverse ? 255 - level : level
  }
  return table
}
