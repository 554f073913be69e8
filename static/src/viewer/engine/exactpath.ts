/**
 * The way Cornerstone's planar viewport draws a stack here: stored values through modality LUT and VOI by
 * the formulas of the standard, on a 2D canvas. It takes the place of Cornerstone's own processor path, which
 * knows neither SIGMOID nor fractional slopes, and needs no graphics card.
 */

import { cache, Enums, type Types, utilities } from '@cornerstonejs/core'
import type { Frame } from '../dicom/frame'
import type { Voi } from '../dicom/voi'
import type { Window } from '../dicom/windows'
import { frameById } from './registry'
import { measuredWindow, paintColour, paintGrey, paintOverlays, pixelsOf } from './paint'

const CPU_IMAGE = 'cpuImage'
const ONE_TO_ONE = 1e-3

/** How the reader wants the images of a viewport; undefined window means each image's own. */
export type Presentation = { window?: Window; inverted: boolean; overlays: boolean; failed: boolean }

type Context = {
  viewportId: string
  renderingEngineId: string
  viewport: { element: HTMLDivElement; invalidateResolvedView(): void; isCurrentDataId(id: string): boolean }
  display: { markRendered(): void; renderNow(): void; activateRenderMode(mode: string): void }
  cpu: { canvas: HTMLCanvasElement; context: CanvasRenderingContext2D }
}
type Camera = { slice?: { kind: string; imageIdIndex?: number } }
type Payload = { id: string; type: string; image?: Types.IImage; imageIds: string[]; initialImageIdIndex?: number }
type Rendering = {
  renderMode: string
  enabledElement: { image?: Types.IImage }
  currentImageIdIndex: number
}

/** The affine map from image pixels (outer corner of the first = 0, 0) to canvas pixels. */
export type Matrix = { a: number; b: number; c: number; d: number; e: number; f: number }
export type Project = (column: number, row: number, image: Types.IImage) => readonly [number, number] | undefined

const windows = new WeakMap<Types.IImage, Window>()

/** The window an image is shown with when the reader has not chosen another. */
export function ownWindow(frame: Frame, image: Types.IImage): Window {
  const [first] = frame.windows
  if (first) return first
  const known = windows.get(image)
  if (known) return known
  const measured = image.color
    ? { center: 127.5, width: 255, function: 'LINEAR_EXACT' as const, label: '' }
    : measuredWindow(frame, pixelsOf(image))
  windows.set(image, measured)
  return measured
}

export function matrixOf(project: Project, image: Types.IImage, ratio: number): Matrix | undefined {
  const origin = project(-0.5, -0.5, image)
  const right = project(image.columns - 0.5, -0.5, image)
  const below = project(-0.5, image.rows - 0.5, image)
  if (!origin || !right || !below) return undefined
  const k = ratio
  const a = ((right[0] - origin[0]) / image.columns) * k
  const b = ((right[1] - origin[1]) / image.columns) * k
  const c = ((below[0] - origin[0]) / image.rows) * k
  const d = ((below[1] - origin[1]) / image.rows) * k
  const whole = [a, b, c, d].every((v) => Math.abs(v - Math.round(v)) < ONE_TO_ONE && Math.abs(v) < 1.5)
  const [e, f] = [origin[0] * k, origin[1] * k]
  if (!whole) return { a, b, c, d, e, f }
  // At 1:1 an image pixel is a screen pixel: no interpolation may touch it.
  return {
    a: Math.round(a), b: Math.round(b), c: Math.round(c), d: Math.round(d), e: Math.round(e), f: Math.round(f),
  }
}

class ExactImagePath {
  private painted?: { image: Types.IImage; key: string; canvas: OffscreenCanvas }

  constructor(private readonly presentation: () => Presentation, private readonly project: Project) {}

  async addData(ctx: Context, data: Payload) {
    ctx.display.activateRenderMode(CPU_IMAGE)
    const rendering: Rendering = {
      renderMode: CPU_IMAGE,
      enabledElement: { image: data.image },
      currentImageIdIndex: data.initialImageIdIndex ?? 0,
    }
    return {
      rendering,
      updateDataPresentation: () => undefined,
      applyViewState: (camera: Camera) => this.goTo(ctx, rendering, data, camera),
      getFrameOfReferenceUID: () => frameById(rendering.enabledElement.image?.imageId ?? '')?.frameOfReference,
      getImageData: () => undefined,
      render: () => {
        if (ctx.viewport.isCurrentDataId(data.id)) this.draw(ctx, rendering)
      },
      resize: () => undefined,
      removeData: () => {
        rendering.enabledElement.image = undefined
        this.painted = undefined
        this.clear(ctx)
      },
    }
  }

  /** The pane loads an image before it asks for it, so the cache always has the next one. */
  private goTo(ctx: Context, rendering: Rendering, data: Payload, camera: Camera): void {
    const index = camera.slice?.imageIdIndex ?? rendering.currentImageIdIndex
    const imageId = data.imageIds[index]
    const image = imageId ? cache.getImage(imageId) : undefined
    if (!image || image === rendering.enabledElement.image) return
    rendering.enabledElement.image = image
    rendering.currentImageIdIndex = index
    ctx.viewport.invalidateResolvedView()
    utilities.triggerEvent(ctx.viewport.element, Enums.Events.STACK_NEW_IMAGE, {
      image, imageId, imageIdIndex: index, viewportId: ctx.viewportId, renderingEngineId: ctx.renderingEngineId,
    })
  }

  private clear({ cpu }: Context): void {
    cpu.context.setTransform(1, 0, 0, 1, 0, 0)
    cpu.context.fillStyle = '#000'
    cpu.context.fillRect(0, 0, cpu.canvas.width, cpu.canvas.height)
  }

  private draw(ctx: Context, rendering: Rendering): void {
    this.clear(ctx)
    const { image } = rendering.enabledElement
    const presentation = this.presentation()
    if (image && !presentation.failed) {
      const matrix = matrixOf(this.project, image, window.devicePixelRatio || 1)
      if (matrix) {
        const { context } = ctx.cpu
        const { a, b, c, d, e, f } = matrix
        context.setTransform(a, b, c, d, e, f)
        context.imageSmoothingEnabled = Math.abs(a * d - b * c) !== 1
        context.imageSmoothingQuality = 'high'
        context.drawImage(this.paint(image, presentation), 0, 0)
      }
    }
    ctx.display.markRendered()
    utilities.triggerEvent(ctx.viewport.element, Enums.Events.IMAGE_RENDERED, {
      element: ctx.viewport.element, viewportId: ctx.viewportId, renderingEngineId: ctx.renderingEngineId,
    })
  }

  private paint(image: Types.IImage, presentation: Presentation): OffscreenCanvas {
    const key = JSON.stringify([presentation.window, presentation.inverted, presentation.overlays])
    if (this.painted?.image === image && this.painted.key === key) return this.painted.canvas
    const frame = frameById(image.imageId)
    const canvas = new OffscreenCanvas(image.columns, image.rows)
    const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D
    const picture = context.createImageData(image.columns, image.rows)
    const out = new Uint32Array(picture.data.buffer)
    const pixels = pixelsOf(image)
    if (image.color || !frame) {
      // A picture rendered by the server has its window in it already.
      const byServer = frame && frame.samples === 1 && !frame.palette
      paintColour(pixels, byServer ? undefined : presentation.window, presentation.inverted, out)
    } else {
      paintGrey(frame, pixels, this.voi(frame, image, presentation), presentation.inverted !== frame.inverse, out)
    }
    if (frame && presentation.overlays) paintOverlays(frame.overlays, image.columns, image.rows, out)
    context.putImageData(picture, 0, 0)
    this.painted = { image, key, canvas }
    return canvas
  }

  private voi(frame: Frame, image: Types.IImage, presentation: Presentation): Voi {
    if (presentation.window) return { window: presentation.window }
    if (frame.voiLut && !frame.windows.length) return { lut: frame.voiLut }
    return { window: ownWindow(frame, image) }
  }
}

/** What Cornerstone's render path resolver asks for. */
export function exactImagePath(presentation: () => Presentation, project: Project) {
  return {
    id: 'isocenter:exact-image',
    type: Enums.ViewportType.PLANAR_NEXT,
    matches: (data: { type: string }, options: { renderMode: string }) =>
      data.type === 'image' && options.renderMode === CPU_IMAGE,
    createRenderPath: () => new ExactImagePath(presentation, project),
    selectContext: (context: unknown) => context,
  }
}
