/**
 * `window.isocenterViewer`: what the page shows, for tests and for support. It can do nothing that the reader
 * cannot, and knows nothing that is not on the page.
 */

import { lengthInWords } from './dicom/calibration'
import type { VoiFunction } from './dicom/windows'
import { matrixOf } from './engine/exactpath'
import { sourceOf } from './engine/loader'
import type { Layout, Viewer } from './app'
import { measured } from './measure/store'
import type { Pane } from './pane/pane'
import { imageToWorld } from './engine/viewport'

function paneState(viewer: Viewer, pane: Pane) {
  const { frame, set, images, view } = pane
  return {
    study: set?.studyUid ?? null,
    series: set?.seriesUid ?? null,
    set: set?.id ?? null,
    kind: set?.kind ?? null,
    prior: viewer.studies.isPrior(set?.studyUid),
    index: pane.index,
    count: images?.frames.length ?? 0,
    sop: frame?.sopUid ?? null,
    frame: frame?.number ?? null,
    ready: pane.ready,
    error: pane.error,
    source: frame ? (sourceOf(frame.imageId) ?? null) : null,
    window: pane.window ?? null,
    inverted: view.presentation.inverted,
    zoom: pane.ready ? view.magnification : null,
  }
}

function base64(bytes: Uint8ClampedArray): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000))
  return btoa(text)
}

export function inspector(viewer: Viewer) {
  const pane = (at: number): Pane => {
    const slot = viewer.slots[at]
    if (!slot) throw new Error(`no viewport ${at}`)
    return slot.pane
  }
  return {
    version: 1,
    state: () => ({
      tool: viewer.tool,
      layout: viewer.layout,
      active: viewer.active,
      together: viewer.together,
      panes: viewer.slots.map((slot) => paneState(viewer, slot.pane)),
    }),
    sets: () => viewer.allSets().map((set) => ({
      id: set.id, kind: set.kind, series: set.seriesUid, study: set.studyUid, description: set.description,
      count: set.kind === 'images' ? set.frames.length : set.instances.length,
      sops: set.kind === 'images' ? [...new Set(set.frames.map((f) => f.sopUid))] : set.instances.map((i) => i.sopUid),
    })),
    show: async (at: number, setId: string, index = 0) => {
      const set = viewer.allSets().find((s) => s.id === setId)
      if (!set) throw new Error(`no display set ${setId}`)
      await pane(at).show(set, index)
      return paneState(viewer, pane(at))
    },
    goTo: async (at: number, index: number) => {
      await pane(at).goTo(index)
      return paneState(viewer, pane(at))
    },
    setLayout: (layout: Layout) => viewer.setLayout(layout),
    setWindow: (at: number, center: number, width: number, kind: VoiFunction = 'LINEAR') =>
      pane(at).setWindow({ center, width, function: kind, label: '' }),
    ownWindow: (at: number) => pane(at).setWindow(undefined),
    oneToOne: (at: number) => pane(at).oneToOne(),
    fit: (at: number) => pane(at).view.fit(),
    /** Page coordinates of an image point (column, row; centre of the first pixel = 0, 0). */
    toPage: (at: number, column: number, row: number) => {
      const box = pane(at).surface.getBoundingClientRect()
      const [x, y] = pane(at).view.toCanvas([column, row])
      return [box.left + x, box.top + y]
    },
    /** What is on the canvas now, RGBA in base64, and where image pixels lie on it. */
    canvas: (at: number) => {
      const { view } = pane(at)
      const canvas = view.getCanvas()
      const { width, height } = canvas
      // Read from a copy, so that the canvas on the page stays on the graphics card.
      const copy = new OffscreenCanvas(width, height)
      const context = copy.getContext('2d', { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D
      context.drawImage(canvas, 0, 0)
      const image = view.image
      const matrix = image && matrixOf((c, r, i) => view.worldToCanvas([...imageToWorld(i, c, r)]), image, devicePixelRatio || 1)
      return {
        width, height, matrix: matrix ?? null, rows: image?.rows ?? 0, columns: image?.columns ?? 0,
        rgba: base64(context.getImageData(0, 0, width, height).data),
      }
    },
    measurements: () => viewer.measurements.all.map((m) => {
      const result = measured(m)
      return { id: m.id, sop: m.frame.sopUid, a: m.a, b: m.b, ...result, words: lengthInWords(result) }
    }),
  }
}

export type Inspector = ReturnType<typeof inspector>

declare global {
  interface Window {
    isocenterViewer?: Inspector
  }
}
