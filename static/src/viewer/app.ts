/** The page as a whole: its panes, its tools, and what one does to the others. */

import type { RenderingEngine } from '@cornerstonejs/core'
import { render } from 'lit'
import { lengthInWords } from './dicom/calibration'
import type { DisplaySet } from './dicom/displaysets'
import { CT_PRESETS, type Preset, type VoiFunction, type Window } from './dicom/windows'
import { stopPrefetch } from './engine/prefetch'
import type { Launch, StudyInfo } from './launch'
import { drawLayer, makeLayer } from './measure/layer'
import { measured, Measurements } from './measure/store'
import { Cine } from './pane/cine'
import { overlay } from './pane/overlay'
import { type Change, Pane } from './pane/pane'
import { type Host, Pointer, type Tool } from './pane/pointer'
import { referenceLine, ScrollLink } from './pane/sync'
import { tile } from './pane/tile'
import { whenWords } from './pane/words'
import { firstSeries, matchingSeries, Studies } from './studies'

export type Layout = '1x1' | '1x2' | '2x1' | '2x2'
export const LAYOUTS: readonly Layout[] = ['1x1', '1x2', '2x1', '2x2']

type Slot = {
  pane: Pane
  pointer: Pointer
  cine: Cine
  words: HTMLElement
  layer: SVGSVGElement
}

export class Viewer implements Host {
  readonly studies: Studies
  readonly measurements = new Measurements()
  slots: Slot[] = []
  active = 0
  tool: Tool = globalThis.innerWidth < 720 ? 'scroll' : 'window' // one finger leafs through
  layout: Layout = '1x1'
  together = true
  references = true
  filled = false
  onChange: () => void = () => undefined
  onSay: (words: string, undo?: () => void) => void = () => undefined
  private readonly link = new ScrollLink()
  private following = false
  private repaint = 0

  constructor(
    readonly launch: Launch, private readonly engine: RenderingEngine, private readonly grid: HTMLElement,
  ) {
    this.studies = new Studies(launch)
    this.studies.onChange = () => this.changed()
    this.measurements.onChange = () => this.changed()
    this.grid.dataset.tool = this.tool
    this.setLayout(launch.studies.length > 1 && globalThis.innerWidth >= 720 ? '1x2' : '1x1')
  }

  get slot(): Slot {
    return this.slots[this.active] as Slot
  }

  get pane(): Pane {
    return this.slot.pane
  }

  /** Open what the page was asked for: today's first series, and the prior beside it where one was named. */
  async start(): Promise<void> {
    const [current, prior] = this.launch.studies
    const first = current && firstSeries(current)
    if (current && first) {
      try {
        const [set] = await this.studies.load(current, first)
        if (set) await this.slots[0]?.pane.show(set)
      } catch (error) {
        this.onSay(`The images did not come: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    if (prior && this.slots.length > 1) await this.openPrior(prior)
    this.activate(this.slots[0]?.pane as Pane)
    await this.studies.loadRest()
  }

  // ---- panes

  private addSlot(): void {
    const pane = new Pane(this.engine, this.grid)
    const words = document.createElement('div')
    words.className = 'vp__words'
    const layer = makeLayer(pane)
    pane.element.append(words)
    const slot: Slot = { pane, words, layer, pointer: new Pointer(pane, this), cine: new Cine(pane) }
    slot.cine.onChange = () => this.changed()
    pane.onChange = (change) => this.paneChanged(slot, change)
    pane.element.addEventListener('focus', () => this.activate(pane))
    this.slots.push(slot)
  }

  setLayout(layout: Layout): void {
    const [rows, columns] = layout.split('x').map(Number) as [number, number]
    while (this.slots.length < rows * columns) this.addSlot()
    while (this.slots.length > rows * columns) {
      const slot = this.slots.pop() as Slot
      slot.cine.stop()
      slot.pane.destroy()
    }
    this.layout = layout
    this.grid.dataset.layout = layout
    this.active = Math.min(this.active, this.slots.length - 1)
    this.setFilled(false)
    this.trimPrefetch()
  }

  /** A layout the reader chose: viewports that it adds take the series that are not shown yet. */
  chooseLayout(layout: Layout): void {
    this.setLayout(layout)
    const shown = new Set(this.slots.map(({ pane }) => pane.set?.id))
    const waiting = this.allSets().filter((set) => set.kind === 'images' && !shown.has(set.id))
    for (const { pane } of this.slots) {
      const next = pane.set ? undefined : waiting.shift()
      if (next) void pane.show(next)
    }
  }

  nextLayout(): void {
    this.chooseLayout(LAYOUTS[(LAYOUTS.indexOf(this.layout) + 1) % LAYOUTS.length] as Layout)
  }

  /** Every display set whose series has come, in the order of the strip. */
  allSets(): DisplaySet[] {
    return this.studies.opened.flatMap((study) =>
      study.series.flatMap((series) => this.studies.setsOf(series.series_instance_uid) ?? []))
  }

  setFilled(on: boolean): void {
    this.filled = on && this.slots.length > 1
    this.grid.toggleAttribute('data-filled', this.filled)
    this.changed()
  }

  fill(pane: Pane): void {
    this.activate(pane)
    this.setFilled(!this.filled)
  }

  activate(pane: Pane): void {
    const at = this.slots.findIndex((slot) => slot.pane === pane)
    if (at < 0 || at === this.active) return
    this.active = at
    this.changed()
  }

  private paneChanged(slot: Slot, change: Change): void {
    if (change === 'set') {
      slot.cine.stop()
      this.trimPrefetch()
    }
    if (change === 'image' && this.together && !this.following && slot.pane === this.pane) this.follow(slot.pane)
    if (change !== 'look') this.changed()
    else this.paintSoon()
  }

  private trimPrefetch(): void {
    stopPrefetch(new Set(this.slots.flatMap(({ pane }) => (pane.images ? [pane.images.frames] : []))))
  }

  private follow(from: Pane): void {
    this.following = true
    for (const { pane } of this.slots) {
      if (pane === from) continue
      const index = this.link.target(from, pane)
      if (index !== undefined && index !== pane.index) void pane.goTo(index)
    }
    this.following = false
  }

  setTogether(on: boolean): void {
    this.together = on
    this.link.forget()
    if (on) this.takeOffsets()
    this.changed()
  }

  private takeOffsets(): void {
    for (const { pane } of this.slots) if (pane !== this.pane) this.link.take(this.pane, pane)
  }

  // ---- what is shown

  async show(set: DisplaySet, pane = this.pane): Promise<void> {
    await pane.show(set)
    if (this.together) this.takeOffsets()
  }

  /** A prior goes beside, never over, today's images. */
  async openPrior(study: StudyInfo): Promise<void> {
    const series = matchingSeries(study, this.slots[0]?.pane.images)
    if (!series) {
      // No empty viewport beside: it would stand under the identity and date of the one there.
      this.onSay(`${study.availability_words}: no images to show`)
      return
    }
    this.studies.open(study)
    const wide = globalThis.innerWidth >= 720
    if (wide && !this.layout.endsWith('x2')) this.setLayout(this.layout === '2x1' ? '2x2' : '1x2')
    const target = wide ? this.slots[1] : this.slots[0]
    if (!target) return
    try {
      const [set] = await this.studies.load(study, series)
      if (set) await this.show(set, target.pane)
      this.alignPrior(target.pane)
    } catch (error) {
      this.onSay(`The prior did not come: ${error instanceof Error ? error.message : String(error)}`)
    }
    void this.studies.loadRest()
  }

  /** Start the prior at the same part of its stack, and remember the offset between the two. */
  private alignPrior(prior: Pane): void {
    const main = this.slots[0]?.pane
    if (!main?.images || !prior.images || main === prior) return
    const same = this.link.target(main, prior)
    const share = main.index / Math.max(main.images.frames.length - 1, 1)
    void prior.goTo(same ?? Math.round(share * (prior.images.frames.length - 1))).then(() => this.takeOffsets())
  }

  /** The prior before (1, older) or after (-1, newer) the one that is open. */
  stepPrior(step: 1 | -1): void {
    const { priors } = this.studies
    const shown = this.slots.map(({ pane }) => pane.set?.studyUid)
    const at = priors.findIndex((p) => shown.includes(p.study_instance_uid))
    const next = priors[at < 0 ? (step > 0 ? 0 : -1) : at + step]
    if (next) void this.openPrior(next)
    else this.onSay(priors.length ? 'No prior further on' : 'No priors of this patient here')
  }

  stepSet(step: 1 | -1): void {
    const all = this.allSets()
    const at = all.findIndex((set) => set.id === this.pane.set?.id)
    const next = all[at + step]
    if (next) void this.show(next)
  }

  // ---- tools

  setTool(tool: Tool): void {
    this.tool = tool
    this.grid.dataset.tool = tool
    this.changed()
  }

  windowChanged(pane: Pane): void {
    if (pane === this.pane) this.paintSoon()
  }

  get presets(): readonly Preset[] {
    return this.pane.frame?.modality === 'CT' ? CT_PRESETS : []
  }

  preset(key: string): void {
    const preset = this.presets.find((p) => p.key === key)
    if (preset) this.setWindow({ center: preset.center, width: preset.width, function: 'LINEAR', label: preset.label })
  }

  setWindow(window: Window | undefined): void {
    this.pane.setWindow(window)
    this.changed()
  }

  setFunction(kind: VoiFunction): void {
    const { window } = this.pane
    if (window) this.setWindow({ ...window, function: kind })
  }

  toggleCine(): void {
    this.slot.cine.toggle()
  }

  removeSelected(): void {
    const { selected } = this.measurements
    const found = this.measurements.all.find((m) => m.id === selected)
    if (!found) return
    const undo = this.measurements.remove(found.id)
    if (undo) this.onSay(`Measurement ${found.id}, ${lengthInWords(measured(found))}, taken away`, undo)
  }

  cancel(): boolean {
    return this.slots.some((slot) => slot.pointer.cancel())
  }

  // ---- drawing words and lines

  private changed(): void {
    this.paintSoon()
    this.onChange()
  }

  private paintSoon(): void {
    if (this.repaint) return
    this.repaint = requestAnimationFrame(() => {
      this.repaint = 0
      for (const [i, slot] of this.slots.entries()) this.paint(slot, i)
    })
  }

  private paint({ pane, words, layer }: Slot, at: number): void {
    const prior = this.studies.isPrior(pane.set?.studyUid)
    const study = this.studies.study(pane.set?.studyUid ?? this.studies.current?.study_instance_uid)
    pane.element.classList.toggle('vp--prior', prior)
    if (at === this.active) pane.element.setAttribute('aria-current', 'true')
    else pane.element.removeAttribute('aria-current')
    const count = pane.images ? `, image ${pane.index + 1} of ${pane.images.frames.length}` : ''
    pane.element.setAttribute('aria-label', pane.set
      ? `${whenWords(study, prior)}, ${pane.set.description}${count}` : `Viewport ${at + 1}, empty`)
    const context = { patient: this.launch.patient, study, prior }
    render([overlay(pane, context), pane.set?.kind === 'object' ? tile(pane.set, (w) => this.onSay(w)) : ''], words)
    const line = this.references && at !== this.active ? referenceLine(this.pane, pane) : undefined
    drawLayer(layer, pane, this.measurements, line ? [line] : [])
  }
}
