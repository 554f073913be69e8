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
    /**
     * The part of the canvas that the image takes, RGBA in base64, `left` and `top` in screen pixels, and how
     * image pixels lie on the whole canvas.
     */
    canvas: (at: number) => {
      const { view } = pane(at)
      const canvas = view.getCanvas()
      const { image } = view
      const matrix = image && matrixOf((c, r, i) => view.worldToCanvas([...imageToWorld(i, c, r)]), image, devicePixelRatio || 1)
      const within = (v: number, most: number) => Math.min(Math.max(Math.round(v), 0), most)
      const { e = 0, f = 0 } = matrix ?? {}
      const [left, top] = [within(e, canvas.width), within(f, canvas.height)]
      const right = matrix && image ? within(e + matrix.a * image.columns + matrix.c * image.rows, canvas.width) : canvas.width
      const bottom = matrix && image ? within(f + matrix.b * image.columns + matrix.d * image.rows, canvas.height) : canvas.height
      const [width, height] = [right - left, bottom - top]
      // Read from a copy, so that the canvas on the page stays on the graphics card.
      const copy = new OffscreenCanvas(Math.max(width, 1), Math.max(height, 1))
      const context = copy.getContext('2d', { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D
      context.drawImage(canvas, -left, -top)
      return {
        left, top, width: copy.width, height: copy.height, matrix: matrix ?? null,
        rows: image?.rows ?? 0, columns: image?.columns ?? 0,
        rgba: base64(context.getImageData(0, 0, copy.width, copy.height).data),
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
