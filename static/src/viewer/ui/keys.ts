/** The viewer's keys that no button on the page carries; the rest stand on the buttons as `data-key`. */

import { register } from '../../shell/keys'
import type { Viewer } from '../app'
import { CT_PRESETS } from '../dicom/windows'
import { act } from './toolbar'

const GROUP = 'Images'
const PAGE = 10

export function startKeys(viewer: Viewer): void {
  const key = (keys: string, label: string, run: () => void, when?: () => boolean) =>
    register({ keys, label, group: GROUP, run, ...(when && { when }) })
  const last = () => (viewer.pane.images?.frames.length ?? 1) - 1
  key('ArrowDown', 'Next image', () => viewer.pane.scroll(1))
  key('ArrowUp', 'Image before', () => viewer.pane.scroll(-1))
  key('PageDown', `${PAGE} images on`, () => viewer.pane.scroll(PAGE))
  key('PageUp', `${PAGE} images back`, () => viewer.pane.scroll(-PAGE))
  key('Home', 'First image', () => void viewer.pane.goTo(0))
  key('End', 'Last image', () => void viewer.pane.goTo(last()))
  key('ArrowRight', 'Next series', () => viewer.stepSet(1))
  key('ArrowLeft', 'Series before', () => viewer.stepSet(-1))
  key('+', 'Larger', () => viewer.pane.zoom(1.25))
  key('-', 'Smaller', () => viewer.pane.zoom(0.8))
  key('Shift+ArrowLeft', 'Move the picture left', () => viewer.pane.pan(-40, 0))
  key('Shift+ArrowRight', 'Move the picture right', () => viewer.pane.pan(40, 0))
  key('Shift+ArrowUp', 'Move the picture up', () => viewer.pane.pan(0, -40))
  key('Shift+ArrowDown', 'Move the picture down', () => viewer.pane.pan(0, 40))
  key('G', 'Next layout', () => viewer.nextLayout())
  key('F', 'Fill the page with this viewport, and back', () => viewer.setFilled(!viewer.filled))
  key('[', 'Prior before', () => viewer.stepPrior(1))
  key(']', 'Prior after', () => viewer.stepPrior(-1))
  key('Delete', 'Take the chosen measurement away', () => act(viewer, 'delete'),
    () => viewer.measurements.selected !== undefined)
  for (const preset of CT_PRESETS) {
    key(preset.key, `Window: ${preset.label}`, () => viewer.preset(preset.key), () => viewer.presets.length > 0)
  }
  // Half a length is given up before Esc leaves the page.
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return
    if (viewer.cancel()) event.preventDefault()
  }, { capture: true })
}
