/** Windows (PS3.3 C.11.2): what the image brings, what the reader may choose. */

import { type Dataset, numbers, text, values } from './json'

export type VoiFunction = 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID'
export type Window = { center: number; width: number; function: VoiFunction; label: string }
export type Preset = { key: string; label: string; center: number; width: number }

/** Keys 1 to 9 on CT, in Hounsfield units. */
export const CT_PRESETS: readonly Preset[] = [
  { key: '1', label: 'Lung', center: -500, width: 1400 },
  { key: '2', label: 'Soft', center: 60, width: 400 },
  { key: '3', label: 'PE', center: 100, width: 700 },
  { key: '4', label: 'Bone', center: 400, width: 1800 },
  { key: '5', label: 'Brain', center: 40, width: 80 },
  { key: '6', label: 'Stroke', center: 35, width: 35 },
  { key: '7', label: 'Liver', center: 90, width: 150 },
  { key: '8', label: 'Spine', center: 50, width: 250 },
  { key: '9', label: 'Angio', center: 300, width: 600 },
]

export function voiFunction(word: string): VoiFunction {
  return word === 'LINEAR_EXACT' || word === 'SIGMOID' ? word : 'LINEAR'
}

/** LINEAR needs a width of at least 1, the others more than 0 (PS3.3 C.11.2.1.2). */
export function isUsable(window: Window): boolean {
  return window.function === 'LINEAR' ? window.width >= 1 : window.width > 0
}

/** The windows of an image or of its Frame VOI LUT item, unusable ones left out. */
export function imageWindows(ds: Dataset | undefined): Window[] {
  const centers = numbers(ds, '00281050')
  const widths = numbers(ds, '00281051')
  const words = values(ds, '00281055').map((word) => String(word ?? ''))
  const kind = voiFunction(text(ds, '00281056'))
  return centers
    .flatMap((center, i) => {
      const width = widths[i]
      return width === undefined ? [] : [{ center, width, function: kind, label: words[i] ?? '' }]
    })
    .filter(isUsable)
}

export function presetOf(window: Window): Preset | undefined {
  return CT_PRESETS.find((p) => p.center === window.center && p.width === window.width)
}

/** A drag of `dx`, `dy` pixels: right widens, up brightens; the step follows the width. */
export function draggedWindow(start: Window, dx: number, dy: number): Window {
  const step = Math.max(start.width, 1) / 300
  const least = start.function === 'LINEAR' ? 1 : 0.01
  return {
    ...start,
    width: Math.max(least, start.width + dx * step),
    center: start.center + dy * step,
    label: '',
  }
}

/** A window over what is really there, for an image that brings none: 0.5 % cut at each end. */
export function windowFromPixels(histogram: ArrayLike<number>, first: number): Window {
  let total = 0
  for (let i = 0; i < histogram.length; i++) total += histogram[i] as number
  const cut = total * 0.005
  let low = 0
  let high = histogram.length - 1
  for (let sum = 0; low < high; low++) {
    sum += histogram[low] as number
    if (sum > cut) break
  }
  for (let sum = 0; high > low; high--) {
    sum += histogram[high] as number
    if (sum > cut) break
  }
  const width = Math.max(2, high - low + 1)
  return { center: first + (low + high + 1) / 2, width, function: 'LINEAR', label: 'from pixels' }
}
