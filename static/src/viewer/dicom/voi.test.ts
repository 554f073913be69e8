import { describe, expect, test } from 'vitest'
import { greyTable, looked, modalityValue, windowed } from './voi'
import { draggedWindow, imageWindows, windowFromPixels } from './windows'

const window = (center: number, width: number, kind: 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID' = 'LINEAR') =>
  ({ center, width, function: kind, label: '' })

describe('the functions of PS3.3 C.11.2.1', () => {
  // The worked examples of the standard, for output 0 to 255.
  test('LINEAR with c=2048, w=4096', () => {
    const w = window(2048, 4096)
    expect(windowed(w, 0)).toBe(0)
    expect(windowed(w, 4095)).toBe(255)
    expect(windowed(w, 2047.5)).toBeCloseTo(127.5, 9)
  })

  test('LINEAR with c=2048, w=1 is a threshold', () => {
    expect(windowed(window(2048, 1), 2047)).toBe(0)
    expect(windowed(window(2048, 1), 2048)).toBe(255)
  })

  test('LINEAR with c=0, w=100', () => {
    const w = window(0, 100)
    expect(windowed(w, -50)).toBe(0)
    expect(windowed(w, 49)).toBe(255)
    expect(windowed(w, 0)).toBeCloseTo(((0 + 0.5) / 99 + 0.5) * 255, 9)
  })

  test('LINEAR_EXACT with c=0, w=100', () => {
    const w = window(0, 100, 'LINEAR_EXACT')
    expect(windowed(w, -50)).toBe(0)
    expect(windowed(w, 50)).toBe(255)
    expect(windowed(w, 0)).toBeCloseTo(127.5, 9)
    expect(windowed(w, 25)).toBeCloseTo(191.25, 9)
  })

  test('SIGMOID is half way at its centre and never quite at the ends', () => {
    const w = window(40, 80, 'SIGMOID')
    expect(windowed(w, 40)).toBeCloseTo(127.5, 9)
    expect(windowed(w, 80)).toBeCloseTo(255 / (1 + Math.exp(-2)), 9)
    expect(windowed(w, 1000)).toBeLessThanOrEqual(255)
  })
})

describe('tables', () => {
  test('go through slope and intercept, also fractional ones', () => {
    const table = greyTable(0, 4, { slope: 0.5, intercept: -1 }, { window: window(0, 2, 'LINEAR_EXACT') }, false)
    expect([...table]).toEqual([0, 64, 128, 191, 255])
  })

  test('are inverted for MONOCHROME1', () => {
    const voi = { window: window(0.5, 1, 'LINEAR_EXACT') }
    expect([...greyTable(0, 1, { slope: 1, intercept: 0 }, voi, true)]).toEqual([255, 0])
  })

  test('a modality LUT holds its ends', () => {
    const lut = { first: 10, bits: 8, data: [5, 6, 7] }
    expect([9, 10, 11, 12, 99].map((v) => modalityValue({ slope: 1, intercept: 0, lut }, v))).toEqual([5, 5, 6, 7, 7])
  })

  test('a VOI LUT spans its bits', () => {
    const lut = { first: 0, bits: 10, data: [0, 1023] }
    expect(looked(lut, 0)).toBe(0)
    expect(looked(lut, 1)).toBe(255)
  })
})

describe('windows', () => {
  test('of the image keep their words and leave unusable ones out', () => {
    expect(imageWindows({
      '00281050': { vr: 'DS', Value: ['40', 600, 10] },
      '00281051': { vr: 'DS', Value: [400, 1600, 0] },
      '00281055': { vr: 'LO', Value: ['Soft', 'Lung'] },
    })).toEqual([
      { center: 40, width: 400, function: 'LINEAR', label: 'Soft' },
      { center: 600, width: 1600, function: 'LINEAR', label: 'Lung' },
    ])
  })

  test('of the pixels leave half a percent out at each end', () => {
    const histogram = new Float64Array(1001)
    histogram[0] = 1
    for (let i = 400; i < 600; i++) histogram[i] = 10
    histogram[1000] = 1
    const found = windowFromPixels(histogram, -500)
    expect(found.center).toBeCloseTo(0, 0)
    expect(found.width).toBeGreaterThan(190)
    expect(found.width).toBeLessThan(202)
  })

  test('never get too narrow by dragging', () => {
    expect(draggedWindow(window(40, 400), -10_000, 0).width).toBe(1)
  })
})
