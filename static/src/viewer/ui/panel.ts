/** The side panel: what was measured, which report, which priors. */

import { html, nothing, render, type TemplateResult } from 'lit'
import type { Viewer } from '../app'
import { basisOf, lengthInWords } from '../dicom/calibration'
import { dateInWords, timeBefore } from '../dicom/words'
import type { StudyInfo } from '../launch'
import { measured, type Measurement } from '../measure/store'
import { icon } from '../pane/tile'

function row(viewer: Viewer, m: Measurement): TemplateResult {
  const prior = viewer.studies.isPrior(m.frame.studyUid)
  const result = measured(m)
  const words = lengthInWords(result)
  const on = m.id === viewer.measurements.selected
  const where = `Length, image ${m.frame.frames > 1 ? m.frame.number : m.frame.instanceNumber}`
  return html`<button class="ms__r" type="button" aria-current=${on ? 'true' : nothing} title=${result.basis}
    @click=${() => goTo(viewer, m)}><span class="dot">${m.id}</span><span class="one">${where}</span>
    <span class="num">${prior ? '' : words}</span><span class="num dim">${prior ? words : ''}</span></button>`
}

function goTo(viewer: Viewer, m: Measurement): void {
  viewer.measurements.select(m.id)
  for (const { pane } of viewer.slots) {
    const at = pane.images?.frames.findIndex((f) => f.imageId === m.frame.imageId) ?? -1
    if (at >= 0) {
      viewer.activate(pane)
      void pane.goTo(at)
      return
    }
  }
  const sets = viewer.studies.setsOf(m.frame.seriesUid) ?? []
  const set = sets.find((s) => s.kind === 'images' && s.frames.includes(m.frame))
  if (set?.kind === 'images') void viewer.pane.show(set, set.frames.indexOf(m.frame))
}

function measurements(viewer: Viewer): TemplateResult {
  const list = viewer.measurements.all
  const { frame } = viewer.pane
  const bases = [...new Set(list.map((m) => measured(m).basis))]
  const here = bases.length ? bases.join('; ') : frame ? basisOf(frame.calibration) : ''
  return html`${list.length ? html`<div class="ms__r ms__r--h"><span></span><span>Measured</span>
      <span class="num">Today</span><span class="num">Prior</span></div>${list.map((m) => row(viewer, m))}`
    : html`<p class="ms__c">Nothing measured. L, then press at one end and pull to the other.</p>`}
    ${here ? html`<p class="ms__c">Lengths: ${here}</p>` : nothing}`
}

function priorRow(viewer: Viewer, study: StudyInfo): TemplateResult {
  const open = viewer.slots.some(({ pane }) => pane.set?.studyUid === study.study_instance_uid)
  const away = study.availability === 'OFFLINE' || study.availability === 'UNAVAILABLE'
  const before = timeBefore(study.date, viewer.studies.current?.date ?? '')
  return html`<li><button class="pr" type="button" aria-current=${open ? 'true' : nothing} ?disabled=${away || !study.series.length}
    @click=${() => viewer.openPrior(study)}>
    <b>${dateInWords(study.date) || 'No date'}</b><span class="dim">${before}</span>
    <span class="one">${study.modalities.join(', ')} ${study.description}</span>
    <span class="dim">${away ? study.availability_words : study.report ? study.report.words : ''}</span></button></li>`
}

function priors(viewer: Viewer): TemplateResult {
  const list = viewer.studies.priors
  return list.length ? html`<ul class="prs">${list.map((study) => priorRow(viewer, study))}</ul>`
    : html`<p class="empty dim">No earlier study of this patient that you may see.</p>`
}

function report(viewer: Viewer): TemplateResult {
  const found = viewer.studies.current?.report
  return html`<div class="sec"><h3 class="sec__h">Report</h3>
    <p class="rt dim">${found ? found.words : 'None yet.'}</p>
    ${found?.url ? html`<a class="btn" href=${found.url} data-report>${icon('doc')}Open the report <kbd>F2</kbd></a>` : nothing}</div>`
}

export function startPanel(viewer: Viewer): () => void {
  const part = (id: string) => document.querySelector<HTMLElement>(id)
  const tabs = [...document.querySelectorAll<HTMLElement>('.vw__panel [role="tab"]')]
  const choose = (tab: HTMLElement) => {
    for (const other of tabs) {
      const on = other === tab
      other.setAttribute('aria-selected', String(on))
      other.tabIndex = on ? 0 : -1
      part(`#${other.getAttribute('aria-controls')}`)?.toggleAttribute('hidden', !on)
    }
  }
  tabs.forEach((tab, i) => {
    tab.addEventListener('click', () => choose(tab))
    tab.addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowRight' && event.key !== 'ArrowLeft') return
      const next = tabs[(i + (event.key === 'ArrowRight' ? 1 : tabs.length - 1)) % tabs.length]
      event.preventDefault()
      event.stopPropagation()
      if (next) choose(next)
      next?.focus()
    })
  })
  return () => {
    const [ms, pr, rp, n] = ['#measurements', '#priors', '#report', '#priors-count'].map(part)
    if (ms) render(measurements(viewer), ms)
    if (pr) render(priors(viewer), pr)
    if (rp) render(report(viewer), rp)
    if (n) n.textContent = String(viewer.studies.priors.length)
  }
}
