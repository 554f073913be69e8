/** One viewport of the page: which display set it shows, which image, how. */

import { Enums, type RenderingEngine, utilities } from '@cornerstonejs/core'
import type { DisplaySet, ImageSet } from '../dicom/displaysets'
import type { Frame } from '../dicom/frame'
import type { Window } from '../dicom/windows'
import { ownWindow } from '../engine/exactpath'
import { loadImage, setRenderedWindow, sourceOf } from '../engine/loader'
import { prefetch } from '../engine/prefetch'
import { EXACT, type ExactViewport } from '../engine/viewport'
import { Priority } from '../net/queue'

/** `set` another display set, `image` another image, `look` anything drawn, `failed` not loaded. */
export type Change = 'set' | 'image' | 'look' | 'failed'
const RENDER_AGAIN_MS = 150

let made = 0

export class Pane {
  readonly id = `pane-${++made}`
  readonly element = document.createElement('section')
  readonly surface = document.createElement('div')
  readonly view: ExactViewport
  set?: DisplaySet
  index = 0
  error = ''
  onChange: (change: Change) => void = () => undefined
  private request = 0
  private shown = ''
  private readonly observer: ResizeObserver
  private renderTimer = 0

  constructor(private readonly engine: RenderingEngine, host: HTMLElement) {
    this.element.className = 'vp'
    this.element.tabIndex = 0
    this.surface.className = 'vp__cs'
    this.element.append(this.surface)
    host.append(this.element)
    engine.enableElement({ viewportId: this.id, element: this.surface, type: EXACT as Enums.ViewportType })
    this.surface.removeAttribute('tabindex') // the section around it is the tab stop
    this.view = engine.getViewport(this.id) as unknown as ExactViewport
    // A grid that is still being laid out would stretch the picture: follow every size it takes.
    this.observer = new ResizeObserver(() => {
      this.view.resize()
      this.view.render()
      this.onChange('look')
    })
    this.observer.observe(this.surface)
    this.surface.addEventListener(Enums.Events.IMAGE_RENDERED, () => this.onChange('look'))
  }

  destroy(): void {
    this.observer.disconnect()
    clearTimeout(this.renderTimer)
    this.engine.disableElement(this.id)
    this.element.remove()
  }

  get images(): ImageSet | undefined {
    return this.set?.kind === 'images' ? this.set : undefined
  }

  get frame(): Frame | undefined {
    return this.images?.frames[this.index]
  }

  /** Whether the picture on the screen is that of `frame`, not still the one before. */
  get ready(): boolean {
    return !!this.frame && this.shown === this.frame.imageId && !this.error
  }

  async show(set: DisplaySet | undefined, index = 0): Promise<void> {
    this.set = set
    this.error = ''
    this.shown = ''
    this.index = index
    Object.assign(this.view.presentation, { window: undefined, inverted: false, failed: false })
    const request = ++this.request
    if (set?.kind !== 'images' || !set.frames.length) {
      await this.view.setDisplaySets()
      this.onChange('set')
      return
    }
    this.onChange('set')
    this.view.setViewState({ rotation: 0, flipHorizontal: false, flipVertical: false })
    await this.load(set, index, request, true)
  }

  scroll(step: number): void {
    if (!this.images) return
    const target = Math.min(Math.max(this.index + step, 0), this.images.frames.length - 1)
    if (target !== this.index) void this.goTo(target)
  }

  /** Show image `index`: the picture changes when it has come, and the words say which is shown. */
  async goTo(index: number): Promise<void> {
    if (this.images?.frames[index]) await this.load(this.images, index, ++this.request, false)
  }

  private async load(images: ImageSet, index: number, request: number, fit: boolean): Promise<void> {
    const frame = images.frames[index] as Frame
    this.index = index
    prefetch(images.frames, index)
    const stale = () => this.request !== request
    try {
      await loadImage(frame.imageId, Priority.Visible)
      if (stale()) return
      this.error = ''
      this.view.presentation.failed = false
      await this.mount(images, index)
      if (stale()) return
      this.shown = frame.imageId
      if (fit) this.view.fit()
      else this.view.render()
      this.onChange('image')
    } catch (error) {
      if (stale()) return
      // The image before must not stand under the number of this one.
      this.error = error instanceof Error ? error.message : String(error)
      this.view.present({ failed: true })
      this.onChange('failed')
    }
  }

  private async mount(images: ImageSet, index: number): Promise<void> {
    const dataId = `${this.id}/${images.id}/${images.frames.length}`
    if (this.view.getSourceDataId() === dataId) {
      await this.view.setImageIdIndex(index)
      return
    }
    utilities.genericViewportDisplaySetMetadataProvider.add(dataId, {
      kind: 'planar', imageIds: images.frames.map((f) => f.imageId), initialImageIdIndex: index,
    })
    await this.view.setDisplaySets({ displaySetId: dataId })
  }

  get byServer(): boolean {
    return sourceOf(this.frame?.imageId ?? '')?.by === 'server'
  }

  get colour(): boolean {
    return (this.frame?.samples ?? 1) > 1 || this.frame?.photometric === 'PALETTE COLOR'
  }

  /** The window in force, if there is one to speak of. */
  get window(): Window | undefined {
    const { frame } = this
    const { image, presentation } = this.view
    if (!frame) return undefined
    if (presentation.window) return presentation.window
    if (this.byServer) return frame.windows[0]
    if (frame.voiLut && !frame.windows.length) return undefined
    return image?.imageId === frame.imageId ? ownWindow(frame, image) : frame.windows[0]
  }

  setWindow(window: Window | undefined): void {
    this.view.present({ window })
    if (!this.byServer || this.colour) return
    clearTimeout(this.renderTimer)
    this.renderTimer = globalThis.setTimeout(() => this.renderAgain(window), RENDER_AGAIN_MS) as unknown as number
  }

  private renderAgain(window: Window | undefined): void {
    for (const frame of this.images?.frames ?? []) {
      if (sourceOf(frame.imageId)?.by === 'server') setRenderedWindow(frame.imageId, window)
    }
    void this.goTo(this.index)
  }

  invert(): void {
    this.view.present({ inverted: !this.view.presentation.inverted })
  }

  turn(): void {
    this.view.setViewState({ rotation: ((this.view.getViewState().rotation ?? 0) + 90) % 360 })
  }

  /** As it came: own window, upright, fitted. */
  reset(): void {
    this.view.presentation.inverted = false
    this.view.setViewState({ rotation: 0, flipHorizontal: false, flipVertical: false })
    this.view.fit()
    this.setWindow(undefined)
  }

  oneToOne(): void {
    this.view.fit()
    this.view.magnify(1)
  }

  pan(dx: number, dy: number): void {
    const [x, y] = this.view.getPan()
    this.view.setPan([x + dx, y + dy])
  }

  zoom(factor: number, at?: readonly [number, number]): void {
    const target = this.view.magnification * factor
    if (target > 0) this.view.magnify(Math.min(Math.max(target, 0.02), 64), at)
  }
}
