/** Cornerstone's planar viewport with our way of drawing stacks. */

import {
  createDefaultPlanarRenderPaths, createPlanarRenderPathResolver, PlanarViewport, registerViewportType, type Types,
} from '@cornerstonejs/core'
import { frameById } from './registry'
import { exactImagePath, type Presentation } from './exactpath'
import { addScaled, type Vec3 } from '../dicom/vectors'

export const EXACT = 'isocenterExact'
type Point2 = readonly [number, number]
type Args = ConstructorParameters<typeof PlanarViewport>[0]

/** Centre of an image pixel in patient space. */
export function imageToWorld(image: Types.IImage, column: number, row: number): Vec3 {
  const frame = frameById(image.imageId)
  const plane = frame?.orientation
  const origin: Vec3 = plane && frame.position ? frame.position : [0, 0, 0]
  const across = addScaled(origin, plane?.row ?? [1, 0, 0], column * (image.columnPixelSpacing || 1))
  return addScaled(across, plane?.column ?? [0, 1, 0], row * (image.rowPixelSpacing || 1))
}

export class ExactViewport extends PlanarViewport {
  readonly presentation: Presentation

  constructor(args: Args) {
    const presentation: Presentation = { inverted: false, overlays: true, failed: false }
    const made: { viewport?: ExactViewport } = {} // `this` is not there before super()
    const project = (column: number, row: number, image: Types.IImage): Point2 | undefined =>
      made.viewport?.worldToCanvas([...imageToWorld(image, column, row)])
    const paths = [exactImagePath(() => presentation, project), ...createDefaultPlanarRenderPaths()]
    super({ ...args, renderPathResolver: createPlanarRenderPathResolver(paths as never) })
    this.presentation = presentation
    made.viewport = this
  }

  present(change: Partial<Presentation>): void {
    Object.assign(this.presentation, change)
    this.render()
  }

  get image(): Types.IImage | undefined {
    return (this.getCurrentPlanarRendering() as { enabledElement?: { image?: Types.IImage } } | undefined)
      ?.enabledElement?.image
  }

  /** Canvas point (CSS pixels) of an image point, and back. */
  toCanvas([column, row]: Point2): Point2 {
    const { image } = this
    return image ? this.worldToCanvas([...imageToWorld(image, column, row)]) : [0, 0]
  }

  toImage([x, y]: Point2): Point2 {
    const o = this.toCanvas([0, 0])
    const r = this.toCanvas([1, 0])
    const d = this.toCanvas([0, 1])
    const [a, b, c, e] = [r[0] - o[0], r[1] - o[1], d[0] - o[0], d[1] - o[1]]
    const determinant = a * e - b * c || 1
    const [dx, dy] = [x - o[0], y - o[1]]
    return [(dx * e - dy * c) / determinant, (dy * a - dx * b) / determinant]
  }

  /** Screen pixels for one image pixel, along its rows. */
  get magnification(): number {
    const o = this.toCanvas([0, 0])
    const r = this.toCanvas([1, 0])
    return Math.hypot(r[0] - o[0], r[1] - o[1]) * (window.devicePixelRatio || 1)
  }

  magnify(target: number, at?: Point2): void {
    const now = this.magnification
    const [, scale] = this.getScale()
    if (now > 0) this.setScale((scale * target) / now, at ? [at[0], at[1]] : undefined)
  }

  fit(): void {
    this.setViewState({
      scale: [1, 1], scaleMode: 'fit', anchorWorld: undefined, anchorCanvas: [0.5, 0.5], displayArea: undefined,
    })
  }
}

registerViewportType({ type: EXACT, ViewportClass: ExactViewport as never })
