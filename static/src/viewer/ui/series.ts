/** The strip of series: today's first, priors below, in sand. */

import { html, nothing, render, type TemplateResult } from 'lit'
import type { Viewer } from '../app'
import type { DisplaySet } from '../dicom/displaysets'
import { dateInWords, timeBefore } from '../dicom/words'
import type { SeriesInfo, StudyInfo } from '../launch'
import { icon } from '../pane/tile'
import { NO_PICTURE } from '../studies'

function picture(viewer: Viewer, study: StudyInfo, series: SeriesInfo, set?: DisplaySet): TemplateResult {
  if (set ? set.kind === 'object' : NO_PICTURE.has(series.modality)) return html`<span class="thumb__p">${icon('doc')}</span>`
  const middle = set?.kind === 'images' && set.multiframe ? set.frames[Math.floor(set.frames.length / 2)] : undefined
  const base = middle ? middle.url.replace(/\/frames\/\d+$/, '') : viewer.studies.seriesUrl(study, series)
  return html`<img class="thumb__p" src="${base}/thumbnail" alt="" loading="lazy" decoding="async"
    fetchpriority="low" @error=${(e: Event) => (e.target as HTMLElement).classList.add('thumb__p--none')}>`
}

function count(series: SeriesInfo, set?: DisplaySet): number {
  if (set?.kind === 'images') return set.frames.length
  return set ? set.instances.length : series.instances
}

function thumb(viewer: Viewer, study: StudyInfo, series: SeriesInfo, set?: DisplaySet): TemplateResult {
  const shown = !!set && viewer.pane.set?.id === set.id
  const open = !!set && viewer.slots.some(({ pane }) => pane.set?.id === set.id)
  const failure = viewer.studies.failureOf(series.series_instance_uid)
  const words = set?.kind === 'object' ? set.name : (set?.description ?? (series.description || series.modality))
  const label = `${series.number ?? ''} ${words}`.trim()
  const n = count(series, set)
  const choose = async () => {
    const found = set ?? (await viewer.studies.load(study, series))[0]
    if (found) await viewer.show(found)
  }
  return html`<button class="thumb" type="button" aria-current=${shown ? 'true' : nothing}
    data-open=${open ? '' : nothing} title=${label}
    aria-label="${label}, ${n} ${n === 1 ? 'image' : 'images'}"
    @click=${() => choose().catch((e: unknown) => viewer.onSay(`The series did not come: ${String(e)}`))}>
    ${picture(viewer, study, series, set)}<span class="thumb__n">${n}</span>
    <span class="thumb__l">${failure ? 'Did not come, press to try again' : label}</span></button>`
}

function heading(viewer: Viewer, study: StudyInfo): TemplateResult {
  const prior = viewer.studies.isPrior(study.study_instance_uid)
  const series = `${study.series.length} series`
  const before = timeBefore(study.date, viewer.studies.current?.date ?? '')
  const date = dateInWords(study.date) || 'No date'
  return html`<h2 class="vw__sh ${prior ? 'vw__sh--prior' : ''}"><b>${study.today && !prior ? 'Today' : date}</b>
    <span>${study.description || study.modalities.join(', ')}</span><span>${prior ? before : series}</span></h2>`
}

const NAMED_PRIORS = 6

/** Priors that nobody has opened yet, by date: one press puts them beside. */
function unopened(viewer: Viewer): TemplateResult[] {
  return viewer.studies.priors
    .filter((study) => !viewer.studies.opened.includes(study))
    .slice(0, NAMED_PRIORS)
    .map((study) => html`<button class="vw__pr" type="button" ?disabled=${!study.series.length || study.availability === 'OFFLINE'}
      title="Open beside" @click=${() => viewer.openPrior(study)}>${heading(viewer, study)}
      ${study.availability === 'ONLINE' ? nothing : html`<span class="vw__none">${study.availability_words}</span>`}</button>`)
}

export function startSeries(viewer: Viewer, strip: HTMLElement): () => void {
  return () => {
    const parts = viewer.studies.opened.map((study) => html`${heading(viewer, study)}
      ${study.series.length ? nothing : html`<p class="vw__none">${study.availability === 'ONLINE' ? 'No images yet' : study.availability_words}</p>`}
      ${study.series.map((series) => {
        const sets = viewer.studies.setsOf(series.series_instance_uid)
        return sets ? sets.map((set) => thumb(viewer, study, series, set)) : thumb(viewer, study, series)
      })}`)
    render([parts, unopened(viewer)], strip)
  }
}
