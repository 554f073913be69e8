/** What a viewport says about its image, as plain words. */

import type { Frame } from '../dicom/frame'
import { letters, opposite } from '../dicom/vectors'
import { presetOf } from '../dicom/windows'
import { dateInWords, signed } from '../dicom/words'
import { sourceOf } from '../engine/loader'
import type { StudyInfo } from '../launch'
import type { Pane } from './pane'

/** `Today 09:31` or `Prior, 19 Aug 2024`: a prior must never be taken for today's. */
export function whenWords(study: StudyInfo | undefined, prior: boolean): string {
  const date = dateInWords(study?.date ?? '')
  if (prior) return date ? `Prior, ${date}` : 'Prior, no date'
  if (study?.today) return study.time ? `Today ${study.time}` : 'Today'
  return [date || 'No date', study?.time].filter(Boolean).join(' ')
}

export function windowWords(pane: Pane): string {
  const { window, frame } = pane
  if (!frame || !pane.ready) return ''
  if (!window) return frame.voiLut ? 'Look-up table of the image' : ''
  if (pane.colour && !pane.view.presentation.window) return ''
  const preset = frame.modality === 'CT' ? presetOf(window) : undefined
  const round = (v: number) => signed(v, Math.abs(v) < 10 && !Number.isInteger(v) ? 1 : 0)
  const kind = { LINEAR: '', LINEAR_EXACT: ', exact', SIGMOID: ', sigmoid' }[window.function]
  const name = preset?.label ?? window.label
  return `WL ${round(window.center)} / ${round(window.width)}${name ? `, ${name}` : ''}${kind}`
}

export function placeWords(frame: Frame): string {
  const parts: string[] = []
  if (frame.position && frame.orientation) {
    const n = frame.orientation.normal.map(Math.abs)
    const axis = n.indexOf(Math.max(...n))
    parts.push(`${'xyz'[axis]} ${signed(frame.position[axis] as number, 1)} mm`)
  }
  if (frame.thickness) parts.push(`${frame.thickness.toFixed(1)} mm`)
  return parts.join(', ')
}

/** Letters for the upper, right and left edge, as the picture is turned now. */
export function edgeLetters(pane: Pane): { n: string; e: string; w: string } | undefined {
  const { frame } = pane
  if (!frame) return undefined
  const view = pane.view.getViewState()
  let right = frame.orientation ? letters(frame.orientation.row) : (frame.patientOrientation[0] ?? '')
  let down = frame.orientation ? letters(frame.orientation.column) : (frame.patientOrientation[1] ?? '')
  if (!right && !down) return undefined
  const turns = Math.round((view.rotation ?? 0) / 90) % 4
  for (let i = 0; i < turns; i++) [right, down] = [opposite(down), right]
  return { n: opposite(down), e: right, w: opposite(right) }
}

/** What to beware of: lossy, derived, drawn by the server, incomplete, offline (VW18). */
export function warnings(pane: Pane, study?: StudyInfo): string[] {
  const { frame } = pane
  const words = [...(frame?.notes ?? [])]
  if (frame && sourceOf(frame.imageId)?.by === 'server') words.push('Drawn by the server')
  if (study && study.availability !== 'ONLINE') words.push(study.availability_words)
  if (study?.completeness === 'PARTIAL') words.push(withEvidence('Study incomplete', study.evidence))
  if (study?.completeness === 'RECEIVING') words.push(withEvidence('Still arriving', study.evidence))
  return words
}

function withEvidence(words: string, evidence: string): string {
  return evidence ? `${words}, ${evidence}` : words
}

/** A bar of round length for the lower edge; undefined without a calibration that measures mm. */
export function scaleBar(pane: Pane): { width: number; words: string } | undefined {
  const { frame } = pane
  if (!frame || !pane.ready || frame.calibration.kind === 'none' || frame.calibration.kind === 'regions') return undefined
  const perMm = pane.view.magnification / (window.devicePixelRatio || 1) / frame.calibration.spacing.column
  for (const length of [200, 100, 50, 20, 10, 5, 2, 1]) {
    const width = length * perMm
    if (width <= pane.element.clientWidth * 0.3 && width > 24) {
      return { width, words: length >= 10 ? `${length / 10} cm` : `${length} mm` }
    }
  }
  return undefined
}
