import { describe, expect, test } from 'vitest'
import { frameOf } from './frame'
import type { Dataset } from './json'
import { nearest, sorted } from './sort'

function slice(number: number, z: number, more: Record<string, unknown[]> = {}): Dataset {
  const tags: Record<string, unknown[]> = {
    '00080018': [`1.2.${number}`], '00200013': [number], '00200052': ['1.9'],
    '00200032': [0, 0, z], '00200037': [1, 0, 0, 0, 1, 0], '00280010': [4], '00280011': [4], ...more,
  }
  return Object.fromEntries(Object.entries(tags).map(([tag, Value]) => [tag, { vr: 'DS', Value }]))
}
const frames = (...list: Dataset[]) => list.map((ds) => frameOf(ds, 0, `/i/${String(ds['00200013']?.Value?.[0])}`))
const order = (...list: Dataset[]) => sorted(frames(...list)).map((f) => f.instanceNumber)

describe('order', () => {
  test('follows the place, not the instance number', () => {
    expect(order(slice(1, 10), slice(3, 20), slice(2, 30))).toEqual([1, 3, 2])
  })

  test('runs the way the instance numbers tend to', () => {
    expect(order(slice(3, 10), slice(2, 20), slice(1, 30))).toEqual([1, 2, 3])
  })

  test('takes time where places are the same', () => {
    const at = (tm: string) => ({ '00080032': [tm] })
    expect(order(slice(1, 0, at('101500')), slice(2, 0, at('101400')), slice(3, 5, at('101300')))).toEqual([2, 1, 3])
  })

  test('takes time, then number, where there is no geometry', () => {
    const flat = (n: number, tm?: string) => {
      const ds = slice(n, 0, tm ? { '00080032': [tm] } : {})
      delete ds['00200032']
      return ds
    }
    expect(order(flat(2, '1002'), flat(1, '1003'), flat(3, '1001'))).toEqual([3, 2, 1])
    expect(order(flat(3), flat(1), flat(2))).toEqual([1, 2, 3])
  })

  test('does not sort by place across frames of reference', () => {
    const other = { '00200052': ['1.8'] }
    expect(order(slice(1, 30), slice(2, 10, other))).toEqual([1, 2])
  })
})

test('the nearest slice is found along the normal', () => {
  const list = sorted(frames(slice(1, 0), slice(2, 5), slice(3, 10)))
  expect(nearest(list, [0, 0, 1], 6.9)).toEqual({ index: 1, gap: 6.9 - 5 })
})
