import { describe, expect, test } from 'vitest'
import { calibrationOf, distance, lengthInWords, type Point } from './calibration'
import type { Dataset } from './json'

const ds = (tags: Record<string, unknown[]>): Dataset =>
  Object.fromEntries(Object.entries(tags).map(([tag, Value]) => [tag, { vr: 'DS', Value }]))
const A: Point = [10, 10]

describe('cross sections', () => {
  test('use the spacing in the patient, columns and rows apart', () => {
    const calibration = calibrationOf(ds({ '00280030': [0.5, 0.25] }), 'CT')
    expect(distance(calibration, A, [50, 10])).toEqual({
      length: 10, unit: 'mm', basis: 'pixel spacing from the scanner',
    })
    expect(distance(calibration, A, [10, 50]).length).toBe(20)
    expect(distance(calibration, A, [50, 70]).length).toBeCloseTo(Math.hypot(10, 30), 9)
  })

  test('measure pixels, and say so, without a spacing', () => {
    const result = distance(calibrationOf({}, 'MR'), A, [13, 14])
    expect(result).toEqual({ length: 5, unit: 'px', basis: 'no calibration, so in pixels' })
    expect(lengthInWords(result)).toBe('5 px')
  })
})

describe('projections', () => {
  test('at the detector are named so', () => {
    const calibration = calibrationOf(ds({ '00181164': [0.1, 0.1] }), 'DX')
    expect(calibration).toEqual({ kind: 'detector', spacing: { row: 0.1, column: 0.1 } })
    expect(distance(calibration, A, [110, 10]).basis).toBe('at the detector, larger than in the patient')
  })

  test('with a pixel spacing equal to the detector and no word about it are at the detector', () => {
    expect(calibrationOf(ds({ '00181164': [0.1, 0.1], '00280030': [0.1, 0.1] }), 'CR').kind).toBe('detector')
  })

  test('with another pixel spacing were calibrated', () => {
    const found = calibrationOf(ds({ '00181164': [0.1, 0.1], '00280030': [0.08, 0.08] }), 'DX')
    expect(found).toEqual({ kind: 'corrected', spacing: { row: 0.08, column: 0.08 } })
  })

  test('calibrated on a fiducial say so', () => {
    const found = calibrationOf(ds({ '00280030': [0.2, 0.2], '00280A02': ['FIDUCIAL'] }), 'XA')
    expect(found.kind).toBe('fiducial')
  })

  test('with a magnification factor are brought back to the patient', () => {
    const found = calibrationOf(ds({ '00181164': [0.1, 0.1], '00181114': [1.25] }), 'MG')
    expect(found).toEqual({ kind: 'geometry', spacing: { row: 0.08, column: 0.08 } })
  })
})

describe('ultrasound regions', () => {
  const region = (box: number[], unit: number, delta: number) => ds({
    '00186018': [box[0]], '0018601A': [box[1]], '0018601C': [box[2]], '0018601E': [box[3]],
    '00186012': [1], '00186024': [unit], '00186026': [unit], '0018602C': [delta], '0018602E': [delta],
  })
  const calibration = calibrationOf({
    '00186011': { vr: 'SQ', Value: [region([0, 0, 99, 99], 3, 0.02), region([100, 0, 199, 99], 4, 0.01)] },
  }, 'US')

  test('measure mm inside one region of centimetres', () => {
    expect(distance(calibration, A, [60, 10])).toEqual({ length: 10, unit: 'mm', basis: 'ultrasound region' })
  })

  test('measure pixels across regions', () => {
    expect(distance(calibration, A, [150, 10])).toMatchObject({ unit: 'px', length: 140 })
  })

  test('measure pixels where the region shows time or velocity', () => {
    expect(distance(calibration, [120, 10], [150, 10])).toMatchObject({
      unit: 'px', basis: 'this region measures no length, so in pixels',
    })
  })
})
