/** What a series is shown as: stacks of images, each multi-frame object for itself, tiles for the rest. */

import { type Frame, frameOf } from './frame'
import { type Dataset, number, text } from './json'
import { type Kind, objectKind } from './sopclasses'
import { sorted } from './sort'

type Common = {
  id: string
  studyUid: string
  seriesUid: string
  seriesNumber: number
  description: string
  modality: string
}
export type ImageSet = Common & { kind: 'images'; frames: Frame[]; multiframe: boolean }
export type ObjectSet = Common & {
  kind: 'object'
  name: string
  object: Exclude<Kind, 'image'>
  sopClass: string
  transferSyntax: string
  instances: { sopUid: string; url: string }[]
}
export type DisplaySet = ImageSet | ObjectSet

/** Display sets of one series, images first, from its WADO-RS metadata. */
export function displaySets(metadata: Dataset[], root: string): DisplaySet[] {
  const stacks = new Map<string, ImageSet>()
  const films: ImageSet[] = []
  const objects = new Map<string, ObjectSet>()
  for (const ds of metadata) {
    const studyUid = text(ds, '0020000D')
    const seriesUid = text(ds, '0020000E')
    const sopUid = text(ds, '00080018')
    const sopClass = text(ds, '00080016')
    const transferSyntax = text(ds, '00083002')
    const url = `${root}/studies/${studyUid}/series/${seriesUid}/instances/${sopUid}`
    const common: Common = {
      id: seriesUid,
      studyUid,
      seriesUid,
      seriesNumber: number(ds, '00200011') ?? 0,
      description: text(ds, '0008103E') || text(ds, '00181030') || text(ds, '00080060'),
      modality: text(ds, '00080060'),
    }
    const pixels = !!number(ds, '00280010') && !!number(ds, '00280011')
    const { name, kind } = objectKind(sopClass, pixels, transferSyntax)
    if (kind !== 'image') {
      const key = kind === 'other' ? `${seriesUid}/${sopClass}` : `${seriesUid}/${sopUid}`
      const set = objects.get(key) ?? {
        ...common, id: key, kind: 'object' as const, name, object: kind, sopClass, transferSyntax, instances: [],
      }
      set.description = text(ds, '00420010') || set.description
      set.instances.push({ sopUid, url })
      objects.set(key, set)
      continue
    }
    const count = Math.max(1, number(ds, '00280008') ?? 1)
    const frames = Array.from({ length: count }, (_, i) => frameOf(ds, i, url))
    if (count > 1) {
      films.push({ ...common, id: `${seriesUid}/${sopUid}`, kind: 'images', frames, multiframe: true })
    } else {
      const stack = stacks.get(seriesUid) ?? { ...common, kind: 'images' as const, frames: [], multiframe: false }
      stack.frames.push(...frames)
      stacks.set(seriesUid, stack)
    }
  }
  const images = [...stacks.values(), ...films]
  for (const set of images) set.frames = sorted(set.frames)
  films.sort((a, b) => (a.frames[0]?.instanceNumber ?? 0) - (b.frames[0]?.instanceNumber ?? 0))
  return [...stacks.values(), ...films, ...objects.values()]
}
