/** The studies of this page and the display sets of their series, each fetched once. */

import type { Dataset } from './dicom/json'
import { type DisplaySet, displaySets, type ImageSet } from './dicom/displaysets'
import { register } from './engine/registry'
import type { Launch, SeriesInfo, StudyInfo } from './launch'
import { getJson } from './net/client'

export class Studies {
  private readonly loading = new Map<string, Promise<DisplaySet[]>>()
  private readonly loaded = new Map<string, DisplaySet[]>()
  private readonly failures = new Map<string, string>()
  readonly opened: StudyInfo[]
  onChange: () => void = () => undefined

  constructor(private readonly launch: Launch) {
    this.opened = [...launch.studies]
  }

  get current(): StudyInfo | undefined {
    return this.launch.studies[0]
  }

  /** All others of this patient, newest first; those opened beside are among them. */
  get priors(): StudyInfo[] {
    return [...this.launch.studies.slice(1), ...this.launch.priors]
  }

  isPrior(studyUid: string | undefined): boolean {
    return !!studyUid && studyUid !== this.current?.study_instance_uid
  }

  study(uid: string | undefined): StudyInfo | undefined {
    return [...this.launch.studies, ...this.launch.priors].find((s) => s.study_instance_uid === uid)
  }

  open(study: StudyInfo): void {
    if (this.opened.includes(study)) return
    this.opened.push(study)
    this.onChange()
  }

  setsOf(seriesUid: string): DisplaySet[] | undefined {
    return this.loaded.get(seriesUid)
  }

  failureOf(seriesUid: string): string | undefined {
    return this.failures.get(seriesUid)
  }

  seriesUrl(study: StudyInfo, series: SeriesInfo): string {
    return `${this.launch.dicomweb}/studies/${study.study_instance_uid}/series/${series.series_instance_uid}`
  }

  load(study: StudyInfo, series: SeriesInfo): Promise<DisplaySet[]> {
    const uid = series.series_instance_uid
    const known = this.loading.get(uid)
    if (known) return known
    const job = this.fetchSeries(study, series)
    this.loading.set(uid, job)
    job.catch((error: unknown) => {
      this.loading.delete(uid)
      this.failures.set(uid, error instanceof Error ? error.message : String(error))
      this.onChange()
    })
    return job
  }

  private async fetchSeries(study: StudyInfo, series: SeriesInfo): Promise<DisplaySet[]> {
    const metadata = await getJson<Dataset[]>(`${this.seriesUrl(study, series)}/metadata`, 'application/dicom+json')
    const sets = displaySets(metadata, this.launch.dicomweb)
    for (const set of sets) if (set.kind === 'images') register(set.frames)
    this.failures.delete(series.series_instance_uid)
    this.loaded.set(series.series_instance_uid, sets)
    this.onChange()
    return sets
  }

  /** Fetch what the strip shows but nobody has opened yet, one after another. */
  async loadRest(): Promise<void> {
    for (const study of this.opened) {
      if (study.availability === 'OFFLINE' || study.availability === 'UNAVAILABLE') continue
      // A failure stands on the thumbnail of its series.
      for (const series of study.series) await this.load(study, series).catch(() => undefined)
    }
  }
}

const LOCALIZER = /scout|topo|localizer|localiser|survey|scano/i

/** Modalities whose objects have no picture to begin with. */
export const NO_PICTURE: ReadonlySet<string> = new Set([
  'SR', 'PR', 'KO', 'SEG', 'RTSTRUCT', 'RTPLAN', 'RTDOSE', 'RTRECORD', 'REG', 'DOC', 'ECG', 'HD', 'AU', 'RWV', 'PLAN',
])

/** The order in which a study's series are worth looking at first. */
export function firstSeries(study: StudyInfo): SeriesInfo | undefined {
  const rank = (s: SeriesInfo) => {
    if (NO_PICTURE.has(s.modality)) return 2
    return LOCALIZER.test(s.description) ? 1 : 0
  }
  return [...study.series].sort((a, b) => rank(a) - rank(b) || (a.number ?? 0) - (b.number ?? 0))[0]
}

function tokens(words: string): Set<string> {
  return new Set(words.toLowerCase().split(/[^a-z0-9.]+/).filter((w) => w.length > 1))
}

/** The series of a prior that is most like the one shown: modality, then words, then number of images. */
export function matchingSeries(prior: StudyInfo, shown: SeriesInfo | ImageSet | undefined): SeriesInfo | undefined {
  if (!shown) return firstSeries(prior)
  const wanted = tokens(shown.description)
  const score = (s: SeriesInfo) => {
    const common = [...tokens(s.description)].filter((w) => wanted.has(w)).length
    const scout = LOCALIZER.test(s.description) !== LOCALIZER.test(shown.description) ? -20 : 0
    return (s.modality === shown.modality ? 10 : 0) + 3 * common + scout + Math.min(s.instances, 500) / 500
  }
  return [...prior.series].sort((a, b) => score(b) - score(a))[0]
}
