/** What the server says when a study is opened: who, what, which priors, which report. */

import { getJson } from './net/client'

export type Patient = { name: string; id: string; birth_and_sex: string }
export type SeriesInfo = {
  series_instance_uid: string
  modality: string
  number: number | null
  description: string
  instances: number
}
export type StudyInfo = {
  study_instance_uid: string
  date: string
  time: string
  today: boolean
  description: string
  modalities: string[]
  availability: string
  availability_words: string
  completeness: string
  evidence: string // by what that is known
  series: SeriesInfo[]
  report: { words: string; url: string } | null
}
export type Launch = {
  patient: Patient
  studies: StudyInfo[] // as asked for, the first is the one being read
  priors: StudyInfo[] // newest first, without those above
  dicomweb: string
  heartbeat: string // where to say that the study is still open; empty without a claim
}

/** The launch that came with the page; asked for anew where the page has none. */
export async function launch(url: string): Promise<Launch> {
  const inPage = document.querySelector('#launch')?.textContent
  return inPage ? (JSON.parse(inPage) as Launch) : getJson<Launch>(url)
}
