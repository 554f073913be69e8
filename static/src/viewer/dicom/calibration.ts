/** What a distance between two pixels means, and how we know. */

import { type Dataset, items, number, numbers, text } from './json'

export type Point = readonly [number, number] // column, row, in image pixels (centre of first = 0, 0)
export type Spacing = { row: number; column: number } // mm between rows, between columns

export type Region = {
  x0: number; y0: number; x1: number; y1: number
  dx: number; dy: number // per pixel, signed
  unit: 'mm' | null // null: this region does not measure lengths
}

export type Calibration =
  | { kind: 'none' }
  | { kind: 'patient' | 'fiducial' | 'geometry' | 'corrected' | 'detector' | 'secondary'; spacing: Spacing }
  | { kind: 'regions'; regions: Region[] }

export type Measured = { length: number; unit: 'mm' | 'px'; basis: string }

function pair(ds: Dataset | undefined, tag: string): Spacing | undefined {
  const [row, column] = numbers(ds, tag)
  return row && column && row > 0 && column > 0 ? { row, column } : undefined
}

const PROJECTION = new Set(['CR', 'DX', 'MG', 'PX', 'IO', 'RF', 'XA', 'RG', 'XC'])
const CM = 3 // Physical Units X/Y Direction: 0003H is cm (PS3.3 C.8.5.5.1.1)
const TISSUE = 1 // Region Spatial Format: 0001H is 2D (tissue or flow)

/** Ultrasound regions (0018,6011). Source: PS3.3 C.8.5.5. */
export function regions(ds: Dataset): Region[] {
  return items(ds, '00186011').flatMap((region) => {
    const [x0, y0, x1, y1] = ['00186018', '0018601A', '0018601C', '0018601E'].map((t) => number(region, t))
    const [dx, dy] = ['0018602C', '0018602E'].map((t) => number(region, t))
    if (x0 === undefined || y0 === undefined || x1 === undefined || y1 === undefined) return []
    const lengths = number(region, '00186024') === CM && number(region, '00186026') === CM
    const spatial = number(region, '00186012') === TISSUE && lengths && dx && dy
    return [{
      x0, y0, x1, y1,
      dx: Math.abs(dx ?? 0) * 10,
      dy: Math.abs(dy ?? 0) * 10,
      unit: spatial ? ('mm' as const) : null,
    }]
  })
}

/**
 * How lengths on this image are known.
 *
 * Pixel Spacing is in the patient on cross sections. On projections it is a calibration only when it says so
 * (0028,0A02) or differs from the detector's; the same number as Imager Pixel Spacing measures at the
 * detector, where everything is larger than in the patient. Source: PS3.3 10.7.1.3.
 */
export function calibrationOf(ds: Dataset, modality: string, spacing?: Spacing): Calibration {
  const found = regions(ds)
  if (found.length) return { kind: 'regions', regions: found }
  const pixel = spacing ?? pair(ds, '00280030')
  const imager = pair(ds, '00181164')
  if (!PROJECTION.has(modality)) {
    if (pixel) return { kind: 'patient', spacing: pixel }
    const nominal = pair(ds, '00182010')
    return nominal ? { kind: 'secondary', spacing: nominal } : { kind: 'none' }
  }
  const type = text(ds, '00280A02')
  if (pixel && type === 'FIDUCIAL') return { kind: 'fiducial', spacing: pixel }
  if (pixel && type === 'GEOMETRY') return { kind: 'geometry', spacing: pixel }
  const differs = pixel && imager && (pixel.row !== imager.row || pixel.column !== imager.column)
  if (differs) return { kind: 'corrected', spacing: pixel }
  const detector = imager ?? pixel
  if (!detector) return { kind: 'none' }
  const magnification = number(ds, '00181114')
  if (magnification && magnification > 1) {
    const { row, column } = detector
    return { kind: 'geometry', spacing: { row: row / magnification, column: column / magnification } }
  }
  return { kind: 'detector', spacing: detector }
}

const BASIS: Record<string, string> = {
  patient: 'pixel spacing from the scanner',
  fiducial: 'calibrated on an object of known size',
  geometry: 'corrected for magnification by geometry',
  corrected: 'pixel spacing calibrated after acquisition',
  detector: 'at the detector, larger than in the patient',
  secondary: 'nominal spacing of a scanned picture',
  regions: 'ultrasound region',
}
const NO_CALIBRATION = 'no calibration, so in pixels'

export function basisOf(calibration: Calibration): string {
  return calibration.kind === 'none' ? NO_CALIBRATION : (BASIS[calibration.kind] ?? '')
}

const inside = (r: Region, [x, y]: Point) => x >= r.x0 && x <= r.x1 && y >= r.y0 && y <= r.y1

/** The distance from `a` to `b`; in pixels, saying so, where mm would be a guess. */
export function distance(calibration: Calibration, a: Point, b: Point): Measured {
  const dx = b[0] - a[0]
  const dy = b[1] - a[1]
  const pixels = (basis: string): Measured => ({ length: Math.hypot(dx, dy), unit: 'px', basis })
  if (calibration.kind === 'none') return pixels(NO_CALIBRATION)
  if (calibration.kind !== 'regions') {
    const { row, column } = calibration.spacing
    return { length: Math.hypot(dx * column, dy * row), unit: 'mm', basis: basisOf(calibration) }
  }
  const region = calibration.regions.find((r) => inside(r, a) && inside(r, b) && r.unit)
    ?? calibration.regions.find((r) => inside(r, a) && inside(r, b))
  if (!region) return pixels('across ultrasound regions, so in pixels')
  if (!region.unit) return pixels('this region measures no length, so in pixels')
  return { length: Math.hypot(dx * region.dx, dy * region.dy), unit: 'mm', basis: BASIS.regions as string }
}

/** `8.1 mm`, `31 px`; lengths to 0.1 mm. */
export function lengthInWords({ length, unit }: Measured): string {
  return unit === 'mm' ? `${length.toFixed(1)} mm` : `${Math.round(length)} px`
}
