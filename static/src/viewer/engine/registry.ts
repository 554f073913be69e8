/** Frames by the id Cornerstone knows them by, and its metadata modules made from them. */

import { metaData } from '@cornerstonejs/core'
import type { Frame } from '../dicom/frame'
import type { Window } from '../dicom/windows'

const frames = new Map<string, Frame>()
/** Windows asked of the server for frames that it renders, by image id. */
export const renderedWindows = new Map<string, Window>()

export function register(list: readonly Frame[]): void {
  for (const frame of list) frames.set(frame.imageId, frame)
}

export function frameById(imageId: string): Frame | undefined {
  return frames.get(imageId)
}

function pixelModule(f: Frame) {
  const table = f.palette
  return {
    samplesPerPixel: f.samples,
    photometricInterpretation: f.photometric,
    planarConfiguration: f.planar,
    rows: f.rows,
    columns: f.columns,
    bitsAllocated: f.bitsAllocated,
    bitsStored: f.bitsStored,
    highBit: f.highBit,
    pixelRepresentation: f.signed ? 1 : 0,
    ...(table && {
      redPaletteColorLookupTableDescriptor: table.descriptor,
      greenPaletteColorLookupTableDescriptor: table.descriptor,
      bluePaletteColorLookupTableDescriptor: table.descriptor,
      redPaletteColorLookupTableData: table.red,
      greenPaletteColorLookupTableData: table.green,
      bluePaletteColorLookupTableData: table.blue,
    }),
  }
}

function planeModule(f: Frame) {
  const plane = f.orientation
  return {
    frameOfReferenceUID: f.frameOfReference,
    rows: f.rows,
    columns: f.columns,
    imagePositionPatient: f.position && plane ? [...f.position] : [0, 0, 0],
    imageOrientationPatient: plane ? [...plane.row, ...plane.column] : [1, 0, 0, 0, 1, 0],
    rowCosines: plane ? [...plane.row] : [1, 0, 0],
    columnCosines: plane ? [...plane.column] : [0, 1, 0],
    pixelSpacing: [f.spacing?.row ?? 1, f.spacing?.column ?? 1],
    rowPixelSpacing: f.spacing?.row ?? 1,
    columnPixelSpacing: f.spacing?.column ?? 1,
    sliceThickness: f.thickness,
  }
}

const MODULES: Record<string, (frame: Frame) => unknown> = {
  imagePixelModule: pixelModule,
  imagePlaneModule: planeModule,
  modalityLutModule: (f) => ({ rescaleSlope: f.slope, rescaleIntercept: f.intercept }),
  voiLutModule: (f) => ({
    windowCenter: f.windows.map((w) => w.center),
    windowWidth: f.windows.map((w) => w.width),
  }),
  generalSeriesModule: (f) => ({ modality: f.modality, seriesInstanceUID: f.seriesUid }),
  generalImageModule: (f) => ({ sopInstanceUID: f.sopUid, instanceNumber: f.instanceNumber }),
  sopCommonModule: (f) => ({ sopClassUID: f.sopClass, sopInstanceUID: f.sopUid }),
}

metaData.addProvider((type: string, imageId: unknown) => {
  const frame = typeof imageId === 'string' ? frames.get(imageId) : undefined
  return frame && MODULES[type]?.(frame)
}, 10_000)
