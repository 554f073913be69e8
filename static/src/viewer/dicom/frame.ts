/** One displayed image: a single-frame instance, or one frame of a multi-frame one. */

import { type Calibration, calibrationOf, type Spacing } from './calibration'
import { type Dataset, type Element, inlineBytes, item, items, number, numbers, text, values, words } from './json'
import { type Orientation, orientation, type Vec3, vec3 } from './vectors'
import type { Lut } from './voi'
import { imageWindows, type Window } from './windows'

export type Palette = { descriptor: [number, number, number]; red: number[]; green: number[]; blue: number[] }
export type OverlayPlane = { rows: number; columns: number; origin: [number, number]; bits: Uint8Array }

export type Frame = {
  dataset: Dataset // of the instance
  imageId: string
  url: string // …/instances/{uid}/frames/{n}
  studyUid: string
  seriesUid: string
  sopUid: string
  sopClass: string
  number: number // of the frame, from 1
  frames: number // in the instance
  transferSyntax: string // '' when the server does not say before it sends
  modality: string
  instanceNumber: number
  time: number // of acquisition, seconds of the day, NaN when unknown
  rows: number
  columns: number
  samples: number
  photometric: string
  planar: number
  bitsAllocated: number
  bitsStored: number
  highBit: number
  signed: boolean
  padding?: { low: number; high: number }
  palette?: Palette
  missing: Element[] // tables and overlays that the server sends only when asked for them
  paletteElsewhere: boolean // the tables are not here, whether or not they can be had
  slope: number
  intercept: number
  modalityLut?: Lut
  lutElsewhere: boolean
  windows: Window[]
  voiLut?: Lut
  inverse: boolean
  spacing?: Spacing // for the shape of the pixels
  calibration: Calibration
  position?: Vec3
  orientation?: Orientation
  patientOrientation: string[]
  thickness?: number
  frameOfReference: string
  frameTime?: number // ms, for cine
  overlays: OverlayPlane[]
  notes: string[] // lossy, derived: shown on the image
}

const SHARED = '52009229'
const PER_FRAME = '52009230'

/** A functional group macro of this frame: its own, else the shared one. Source: PS3.3 C.7.6.16. */
function macro(ds: Dataset, index: number, tag: string): Dataset | undefined {
  return item(items(ds, PER_FRAME)[index], tag) ?? item(item(ds, SHARED), tag)
}

function lutOf(ds: Dataset | undefined): Lut | undefined {
  const [, first, bits] = numbers(ds, '00283002')
  const data = words(ds?.['00283006'])
  if (first === undefined || !bits || !data?.length) return undefined
  // A LUT of 8 bits may be packed two to a word (PS3.3 C.11.1.1.1 says it should not be; scanners did).
  return { first, bits, data }
}

function paletteOf(ds: Dataset): Palette | undefined {
  const descriptor = numbers(ds, '00281101')
  const [count = 0, first = 0, bits = 16] = descriptor
  const tables = ['00281201', '00281202', '00281203'].map((tag) => {
    const bytes = inlineBytes(ds[tag])
    const entries = count === 0 ? 65536 : count
    // 8-bit entries come packed one to a byte.
    return bytes && bytes.length === entries ? [...bytes] : words(ds[tag])
  })
  const [red, green, blue] = tables
  if (!red?.length || !green?.length || !blue?.length) return undefined
  return { descriptor: [count === 0 ? 65536 : count, first, bits], red, green, blue }
}

function seconds(tm: string): number {
  const match = /^(?:\d{8})?(\d{2}):?(\d{2})?:?(\d{2}(?:\.\d+)?)?/.exec(tm)
  return match ? Number(match[1]) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0) : Number.NaN
}

function overlaysOf(ds: Dataset): OverlayPlane[] {
  const planes: OverlayPlane[] = []
  for (let group = 0x6000; group <= 0x601e; group += 2) {
    const tag = (element: string) => group.toString(16).toUpperCase() + element
    const bits = inlineBytes(ds[tag('3000')])
    const rows = number(ds, tag('0010'))
    const columns = number(ds, tag('0011'))
    if (!bits || !rows || !columns || bits.length * 8 < rows * columns) continue
    const [row = 1, column = 1] = numbers(ds, tag('0050'))
    planes.push({ rows, columns, origin: [row, column], bits })
  }
  return planes
}

/** Binary values that the display needs and the metadata only points to (PS3.18 8.9). */
function missingOf(ds: Dataset): Element[] {
  const tags = Object.keys(ds).filter((tag) => /^60[01].3000$/.test(tag) || /^0028120[123]$/.test(tag))
  const tables = [item(ds, '00283000'), item(ds, '00283010')].map((lut) => lut?.['00283006'])
  return [...tags.map((tag) => ds[tag]), ...tables]
    .filter((e): e is Element => !!e?.BulkDataURI && !e.bytes)
}

/** What the reader must know about these pixels before trusting them (VW18). */
export function notesOf(ds: Dataset): string[] {
  const notes: string[] = []
  if (text(ds, '00282110') === '01') {
    const ratio = Math.max(0, ...numbers(ds, '00282112'))
    notes.push(ratio > 1 ? `Lossy ${Math.round(ratio)} : 1` : 'Lossy')
  }
  const type = values(ds, '00080008').map(String)
  if (type[0] === 'DERIVED') notes.push('Derived')
  if (text(ds, '00280301') === 'YES') notes.push('Words in the picture')
  return notes
}

function paddingOf(ds: Dataset, signed: boolean): Frame['padding'] {
  const value = number(ds, '00280120')
  if (value === undefined) return undefined
  const sign = (v: number) => (signed && v > 0x7fff ? v - 0x10000 : v)
  const limit = number(ds, '00280121') ?? value
  const [a, b] = [sign(value), sign(limit)]
  return { low: Math.min(a, b), high: Math.max(a, b) }
}

/** Everything the display needs about frame `index` (from 0) of an instance's DICOM JSON. */
export function frameOf(ds: Dataset, index: number, instanceUrl: string): Frame {
  const group = (tag: string) => macro(ds, index, tag)
  const modality = text(ds, '00080060')
  const measures = group('00289110') ?? ds
  const [row, column] = numbers(measures, '00280030')
  const [imagerRow, imagerColumn] = numbers(ds, '00181164')
  const [tall, wide] = numbers(ds, '00280034')
  const exact = row && column ? { row, column } : undefined
  const shape = exact
    ?? (imagerRow && imagerColumn ? { row: imagerRow, column: imagerColumn } : undefined)
    ?? (tall && wide && tall !== wide ? { row: tall, column: wide } : undefined)
  const plane = group('00209113') ?? ds
  const transformed = group('00289145') ?? ds
  const signed = number(ds, '00280103') === 1
  const windows = imageWindows(group('00289132') ?? ds)
  const photometric = text(ds, '00280004') || 'MONOCHROME2'
  const lutItem = item(ds, '00283000')
  const voiItem = item(ds, '00283010')
  const content = group('00209111')
  const bitsAllocated = number(ds, '00280100') ?? 16
  const bitsStored = number(ds, '00280101') ?? bitsAllocated
  const palette = photometric === 'PALETTE COLOR' ? paletteOf(ds) : undefined
  const url = `${instanceUrl}/frames/${index + 1}`
  return {
    dataset: ds,
    imageId: `isocenter:${url}`,
    url,
    studyUid: text(ds, '0020000D'),
    seriesUid: text(ds, '0020000E'),
    sopUid: text(ds, '00080018'),
    sopClass: text(ds, '00080016'),
    number: index + 1,
    frames: Math.max(1, number(ds, '00280008') ?? 1),
    transferSyntax: text(ds, '00083002'),
    modality,
    instanceNumber: number(ds, '00200013') ?? 0,
    time: seconds(text(content, '00189074') || text(ds, '00080032') || text(ds, '0008002A') || text(ds, '00080033')),
    rows: number(ds, '00280010') ?? 0,
    columns: number(ds, '00280011') ?? 0,
    samples: number(ds, '00280002') ?? 1,
    photometric,
    planar: number(ds, '00280006') ?? 0,
    bitsAllocated,
    bitsStored,
    highBit: number(ds, '00280102') ?? bitsStored - 1,
    signed,
    padding: paddingOf(ds, signed),
    palette,
    missing: missingOf(ds),
    paletteElsewhere: photometric === 'PALETTE COLOR' && !palette,
    slope: number(transformed, '00281053') || 1,
    intercept: number(transformed, '00281052') ?? 0,
    modalityLut: lutOf(lutItem),
    lutElsewhere: (!!lutItem && !lutOf(lutItem)) || (!!voiItem && !lutOf(voiItem) && !windows.length),
    windows,
    voiLut: lutOf(voiItem),
    inverse: photometric === 'MONOCHROME1' || text(ds, '20500020') === 'INVERSE',
    spacing: shape,
    calibration: calibrationOf(ds, modality, exact),
    position: vec3(numbers(plane, '00200032')),
    orientation: orientation(numbers(group('00209116') ?? ds, '00200037')),
    patientOrientation: values(ds, '00200020').map(String),
    thickness: number(measures, '00180050') ?? number(ds, '00180050'),
    frameOfReference: text(ds, '00200052'),
    frameTime: frameTimeOf(ds, index),
    overlays: overlaysOf(ds),
    notes: notesOf(ds),
  }
}

/** Milliseconds this frame is shown in cine: Frame Time Vector, Frame Time, or a rate (PS3.3 C.7.6.5). */
function frameTimeOf(ds: Dataset, index: number): number | undefined {
  const vector = numbers(ds, '00181065')
  if (vector.length > 1) return vector[Math.max(index, 1)]
  const time = number(ds, '00181063')
  if (time) return time
  const rate = number(ds, '00082144') ?? number(ds, '00180040')
  return rate ? 1000 / rate : undefined
}
