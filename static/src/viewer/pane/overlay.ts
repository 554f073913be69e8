/** The words on a viewport: who, when, what, where, and what to beware of. */

import { html, nothing, type TemplateResult } from 'lit'
import type { Patient, StudyInfo } from '../launch'
import type { Pane } from './pane'
import { edgeLetters, placeWords, warnings, whenWords, windowWords } from './words'

export type Context = { patient: Patient; study?: StudyInfo; prior: boolean }

function failure(pane: Pane): TemplateResult {
  return html`<div class="vp__msg" role="alert">
    <b>Image ${pane.index + 1} cannot be shown</b><span>${pane.error}. Nothing is lost: it stays in the archive.</span>
  </div>`
}

export function overlay(pane: Pane, { patient, study, prior }: Context): TemplateResult {
  const { images, frame, set } = pane
  const when = whenWords(study, prior)
  const edges = pane.ready ? edgeLetters(pane) : undefined
  const unit = images?.multiframe ? 'Frame' : 'Im'
  return html`
    <div class="ov ov--tl">
      ${prior ? html`<span class="prior-l">${when}</span>` : html`<b>${when}</b>`}
      ${set ? html`<br>Se ${set.seriesNumber}, ${set.description}` : nothing}
      ${warnings(pane, study).map((words) => html`<br><span class="warn">${words}</span>`)}
    </div>
    <div class="ov ov--tr">
      <b>${patient.name}</b><br><span class="id">${patient.id}</span><br>${patient.birth_and_sex}
    </div>
    ${edges ? html`<div class="ov ov--n">${edges.n}</div><div class="ov ov--w">${edges.w}</div>
      <div class="ov ov--e">${edges.e}</div>` : nothing}
    ${frame && images ? html`
      <div class="ov ov--bl">${windowWords(pane)}<br>${placeWords(frame)}</div>
      <div class="ov ov--br">${unit} ${pane.index + 1} / ${images.frames.length}<br>
        ${pane.ready ? `zoom ${pane.view.magnification.toFixed(2)}` : pane.error ? '' : 'loading'}</div>` : nothing}
    ${pane.error ? failure(pane) : nothing}`
}
