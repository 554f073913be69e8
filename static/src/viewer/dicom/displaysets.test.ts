import { describe, expect, test } from 'vitest'
import { displaySets } from './displaysets'
import { frameOf, notesOf } from './frame'
import type { Dataset } from './json'
import { nativeProblem } from './support'

const element = (value: unknown) => ({ vr: 'UN', Value: Array.isArray(value) ? value : [value] })
function object(tags: Record<string, unknown>): Dataset {
  const common = { '0020000D': '1.1', '0020000E': '1.2', '00080018': '1.3', '00200011': 4 }
  return Object.fromEntries(Object.entries({ ...common, ...tags }).map(([tag, value]) => [tag, element(value)]))
}
const CT = '1.2.840.10008.5.1.4.1.1.2'
const US_MULTIFRAME = '1.2.840.10008.5.1.4.1.1.3.1'
const SR = '1.2.840.10008.5.1.4.1.1.88.33'
const SEG = '1.2.840.10008.5.1.4.1.1.66.4'
const image = (sop: string, more: Record<string, unknown> = {}) =>
  object({ '00080016': CT, '00080018': sop, '00280010': 8, '00280011': 8, '00080060': 'CT', ...more })

describe('display sets', () => {
  test('single frames make one stack, each multi-frame object its own', () => {
    const film = image('1.3.9', { '00080016': US_MULTIFRAME, '00280008': 30 })
    const sets = displaySets([image('1.3.1'), image('1.3.2'), film], '/dicom-web')
    expect(sets.map((s) => s.kind === 'images' && s.frames.length)).toEqual([2, 30])
    expect(sets[1]).toMatchObject({ multiframe: true })
  })

  test('count frames, not instances', () => {
    const [set] = displaySets([image('1', { '00280008': '12' })], '')
    expect(set?.kind === 'images' && set.frames.at(-1)?.url).toBe('/studies/1.1/series/1.2/instances/1/frames/12')
  })

  test('nothing is invisible: reports, segmentations and unknown objects are tiles with a name', () => {
    const sets = displaySets([
      object({ '00080016': SR, '00080018': '1' }),
      object({ '00080016': SEG, '00080018': '2', '00280010': 8, '00280011': 8 }),
      object({ '00080016': '1.2.3.999', '00080018': '3' }),
    ], '')
    expect(sets.map((s) => s.kind === 'object' && s.name)).toEqual([
      'Structured report', 'Segmentation', 'Object without a picture',
    ])
  })

  test('a private class with pixels is an image', () => {
    const [set] = displaySets([image('1', { '00080016': '1.2.3.999' })], '')
    expect(set?.kind).toBe('images')
  })

  test('video is a tile', () => {
    const [set] = displaySets([image('1', { '00083002': '1.2.840.10008.1.2.4.102' })], '')
    expect(set).toMatchObject({ kind: 'object', name: 'Video' })
  })
})

describe('enhanced objects', () => {
  const group = (tags: Record<string, unknown>) => Object.fromEntries(Object.entries(tags).map(([t, v]) => [t, element(v)]))
  const enhanced = image('1', {
    '00280008': 2,
    '52009229': group({ '00289110': group({ '00280030': [0.5, 0.5] }), '00209116': group({ '00200037': [1, 0, 0, 0, 1, 0] }) }),
    '52009230': [0, 5].map((z) => group({
      '00209113': group({ '00200032': [0, 0, z] }), '00289145': group({ '00281053': 2, '00281052': -z }),
    })),
  })

  test('take each frame its own groups, then the shared ones', () => {
    const frame = frameOf(enhanced, 1, '/i')
    expect(frame.position).toEqual([0, 0, 5])
    expect(frame.orientation?.normal).toEqual([0, 0, 1])
    expect([frame.slope, frame.intercept]).toEqual([2, -5])
    expect(frame.calibration).toEqual({ kind: 'patient', spacing: { row: 0.5, column: 0.5 } })
  })
})

describe('what the browser leaves to the server', () => {
  const problem = (more: Record<string, unknown>, syntax: string) => nativeProblem(frameOf(image('1', {
    '00280100': 16, '00280101': 12, '00280102': 11, '00280002': 1, '00280004': 'MONOCHROME2', ...more,
  }), 0, '/i'), syntax)
  const EXPLICIT = '1.2.840.10008.1.2.1'

  test.each([
    ['12-bit JPEG', {}, '1.2.840.10008.1.2.4.51'],
    ['uncompressed YBR_FULL_422', { '00280002': 3, '00280004': 'YBR_FULL_422', '00280100': 8, '00280101': 8, '00280102': 7 }, EXPLICIT],
    ['16-bit colour', { '00280002': 3, '00280004': 'RGB' }, EXPLICIT],
    ['32-bit pixels', { '00280100': 32, '00280101': 32, '00280102': 31 }, EXPLICIT],
    ['one bit', { '00280100': 1, '00280101': 1, '00280102': 0 }, EXPLICIT],
    ['pixels in the high bits', { '00280102': 15 }, EXPLICIT],
    ['a palette without its tables', { '00280004': 'PALETTE COLOR', '00280101': 8, '00280102': 7 }, EXPLICIT],
  ])('%s', (_, more, syntax) => expect(problem(more, syntax)).toBeTruthy())

  test.each(['1.2.840.10008.1.2', EXPLICIT, '1.2.840.10008.1.2.4.70', '1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.4.201'])(
    'not %s', (syntax) => expect(problem({}, syntax)).toBeUndefined())
})

test('lossy images say how much', () => {
  expect(notesOf(image('1', { '00282110': '01', '00282112': [12.6], '00080008': ['DERIVED', 'SECONDARY'] })))
    .toEqual(['Lossy 13 : 1', 'Derived'])
})
