/** Measurements, scale bar and reference lines drawn over a viewport, in its own SVG. */

import { nothing, render, svg, type TemplateResult } from 'lit'
import { lengthInWords } from '../dicom/calibration'
import type { Pane } from '../pane/pane'
import { scaleBar } from '../pane/words'
import { measured, type Measurement, type Measurements } from './store'

type Line = readonly [readonly [number, number], readonly [number, number]]
const SVG = 'http://www.w3.org/2000/svg'
const WORDS_PX = 84
const px = (v: number) => v.toFixed(1)

export function makeLayer(pane: Pane): SVGSVGElement {
  const layer = document.createElementNS(SVG, 'svg')
  layer.setAttribute('class', 'vp__ann')
  layer.setAttribute('aria-hidden', 'true')
  pane.element.append(layer)
  return layer
}

function drawn(pane: Pane, m: Measurement, on: boolean): TemplateResult {
  const [x1, y1] = pane.view.toCanvas(m.a)
  const [x2, y2] = pane.view.toCanvas(m.b)
  const words = `${m.id}  ${lengthInWords(measured(m))}`
  const [[leftX, leftY], [rightX, rightY]] = x1 < x2 ? [[x1, y1], [x2, y2]] : [[x2, y2], [x1, y1]]
  // Words stand right of the line, or left of it where the viewport ends.
  const fits = rightX + WORDS_PX < pane.element.clientWidth
  const [tx, ty, anchor] = fits ? [rightX + 8, rightY, 'start'] : [leftX - 8, leftY, 'end']
  const end = (name: 'a' | 'b', x: number, y: number) => svg`
    <circle cx=${px(x)} cy=${px(y)} r="2"></circle>
    <circle class="hit" data-measure=${m.id} data-end=${name} cx=${px(x)} cy=${px(y)} r="9"></circle>`
  return svg`<g class=${on ? 'ann ann--on' : 'ann'}>
    <line class="halo" x1=${px(x1)} y1=${px(y1)} x2=${px(x2)} y2=${px(y2)}></line>
    <line x1=${px(x1)} y1=${px(y1)} x2=${px(x2)} y2=${px(y2)}></line>
    <line class="hit" data-measure=${m.id} x1=${px(x1)} y1=${px(y1)} x2=${px(x2)} y2=${px(y2)}></line>
    ${end('a', x1, y1)}${end('b', x2, y2)}
    <text x=${px(tx)} y=${px(ty + 4)} text-anchor=${anchor}>${words}</text></g>`
}

function bar(pane: Pane): TemplateResult | typeof nothing {
  const scale = scaleBar(pane)
  if (!scale) return nothing
  const { clientWidth: w, clientHeight: h } = pane.element
  const x = (w - scale.width) / 2
  const y = h - 16
  const ticks = [0.25, 0.5, 0.75].map((k) => `M${px(x + k * scale.width)} ${y + 3}v3`).join('')
  return svg`<g class="ann ann--scale"><path d=${`M${px(x)} ${y}v6h${px(scale.width)}v-6${ticks}`}></path>
    <text x=${px(x + scale.width + 7)} y=${y + 7}>${scale.words}</text></g>`
}

function crossing([[x1, y1], [x2, y2]]: Line): TemplateResult {
  return svg`<g class="ann ann--ref"><line x1=${px(x1)} y1=${px(y1)} x2=${px(x2)} y2=${px(y2)}></line></g>`
}

export function drawLayer(layer: SVGSVGElement, pane: Pane, store: Measurements, references: Line[]): void {
  const { frame } = pane
  const marks = frame && pane.ready ? store.on(frame) : []
  render(svg`${bar(pane)}${references.map(crossing)}${marks.map((m) => drawn(pane, m, m.id === store.selected))}`, layer as never)
}
