/** The tool bar: its buttons come with the page, this keeps them true. */

import { LAYOUTS, type Layout, type Viewer } from '../app'
import { basisOf } from '../dicom/calibration'
import type { VoiFunction } from '../dicom/windows'
import type { Tool } from '../pane/pointer'

const all = <T extends HTMLElement>(selector: string) => [...document.querySelectorAll<T>(selector)]

type Action = (viewer: Viewer) => void

const ACTIONS: Record<string, Action> = {
  together: (v) => v.setTogether(!v.together),
  references: (v) => {
    v.references = !v.references
    v.setFilled(v.filled)
  },
  invert: (v) => v.pane.invert(),
  turn: (v) => v.pane.turn(),
  play: (v) => v.toggleCine(),
  fit: (v) => v.pane.view.fit(),
  one: (v) => v.pane.oneToOne(),
  reset: (v) => v.pane.reset(),
  layout: (v) => v.nextLayout(),
  delete: (v) => v.removeSelected(),
}

export function act(viewer: Viewer, name: string): void {
  ACTIONS[name]?.(viewer)
}

function pressed(element: HTMLElement, on: boolean): void {
  element.setAttribute('aria-pressed', String(on))
}

function option(value: string, words: string): HTMLOptionElement {
  return new Option(words, value)
}

/** The window list: presets of the modality, what the image brings, the function, back to its own. */
function windowChoices(viewer: Viewer, select: HTMLSelectElement): void {
  const { pane } = viewer
  const own = pane.frame?.windows ?? []
  const signature = JSON.stringify([viewer.presets.length, own])
  if (select.dataset.signature === signature) return
  select.dataset.signature = signature
  const group = (label: string, options: HTMLOptionElement[]) => {
    const element = document.createElement('optgroup')
    element.label = label
    element.append(...options)
    return element
  }
  const presets = viewer.presets.map((p) => option(`preset ${p.key}`, `${p.label}  ${p.center} / ${p.width}`))
  const ofImage = own.map((w, i) => option(`own ${i}`, `${w.label || 'Window'}  ${w.center} / ${w.width}`))
  select.replaceChildren(
    option('', 'Window'),
    ...(presets.length ? [group('Presets', presets)] : []),
    group('Of the image', [option('image', 'As each image says'), ...ofImage]),
    group('Function', [
      option('LINEAR', 'Linear'), option('LINEAR_EXACT', 'Linear, exact'), option('SIGMOID', 'Sigmoid'),
    ]),
  )
}

function chooseWindow(viewer: Viewer, value: string): void {
  const [kind, which] = value.split(' ')
  if (kind === 'preset' && which) viewer.preset(which)
  else if (kind === 'own') viewer.setWindow(viewer.pane.frame?.windows[Number(which)])
  else if (kind === 'image') viewer.setWindow(undefined)
  else if (kind) viewer.setFunction(kind as VoiFunction)
}

export function startToolbar(viewer: Viewer): () => void {
  for (const button of all('button[data-tool]')) {
    button.addEventListener('click', () => viewer.setTool(button.dataset.tool as Tool))
  }
  for (const button of all('[data-act]')) {
    button.addEventListener('click', (event) => {
      act(viewer, button.dataset.act ?? '')
      // After the mouse the keys belong to the images again; Space must not press this button once more.
      if (event.detail > 0) viewer.pane.element.focus({ preventScroll: true })
    })
  }
  for (const button of all('[data-preset]')) {
    button.addEventListener('click', () => viewer.preset(button.dataset.preset ?? ''))
  }
  const layout = document.querySelector<HTMLSelectElement>('#layout')
  layout?.addEventListener('change', () => {
    const value = layout.value as Layout
    if (LAYOUTS.includes(value)) viewer.chooseLayout(value)
    viewer.pane.element.focus({ preventScroll: true }) // letters act only when no field has the focus
  })
  const windows = document.querySelector<HTMLSelectElement>('#windows')
  windows?.addEventListener('change', () => {
    chooseWindow(viewer, windows.value)
    windows.value = ''
    viewer.pane.element.focus({ preventScroll: true })
  })
  return () => {
    const { pane } = viewer
    for (const button of all('button[data-tool]')) pressed(button, button.dataset.tool === viewer.tool)
    const states: Record<string, boolean> = {
      together: viewer.together,
      references: viewer.references,
      invert: pane.view.presentation.inverted,
      play: viewer.slot.cine.playing,
    }
    for (const [name, on] of Object.entries(states)) {
      for (const button of all(`[data-act="${name}"]`)) pressed(button, on)
    }
    const presets = document.querySelector<HTMLElement>('#presets')
    if (presets) presets.hidden = !viewer.presets.length
    const window = pane.window
    for (const button of all('[data-preset]')) {
      const preset = viewer.presets.find((p) => p.key === button.dataset.preset)
      pressed(button, !!preset && !!window && preset.center === window.center && preset.width === window.width)
    }
    for (const button of all<HTMLButtonElement>('[data-act="play"]')) {
      button.disabled = (pane.images?.frames.length ?? 0) < 2
    }
    if (layout) layout.value = viewer.layout
    if (windows) windowChoices(viewer, windows)
    const calibration = document.querySelector<HTMLElement>('#calibration')
    if (calibration && pane.frame) calibration.textContent = `Lengths here: ${basisOf(pane.frame.calibration)}`
  }
}
