/** What no viewer can draw still has its place: name, class, and a way to get it (VW14). */

import { html, nothing, type TemplateResult } from 'lit'
import type { ObjectSet } from '../dicom/displaysets'
import { getBytes } from '../net/client'

export function icon(name: string): TemplateResult {
  const href = `${document.documentElement.dataset.icons ?? '/static/icons.svg'}#${name}`
  return html`<svg class="i" aria-hidden="true"><use href=${href}></use></svg>`
}

function save(bytes: Uint8Array<ArrayBuffer>, type: string, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([bytes], { type }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

async function download(url: string, sopUid: string): Promise<void> {
  const { bytes } = await getBytes(url, 'multipart/related; type="application/dicom"; transfer-syntax=*')
  save(bytes, 'application/dicom', `${sopUid}.dcm`)
}

export type Say = (words: string) => void

function attempt(work: Promise<unknown>, what: string, say: Say): void {
  work.catch((error: unknown) => say(`${what} did not come: ${error instanceof Error ? error.message : String(error)}`))
}

const WORDS: Record<ObjectSet['object'], string> = {
  document: 'A document, not an image.',
  report: 'A structured report, not an image.',
  other: 'This viewer does not draw this kind of object.',
}

export function tile(set: ObjectSet, say: Say): TemplateResult {
  const [first] = set.instances
  const count = set.instances.length
  return html`<div class="vp__tile">
    ${icon(set.object === 'document' || set.object === 'report' ? 'doc' : 'info')}
    <b>${set.name}${count > 1 ? `, ${count} objects` : ''}</b>
    <span>${set.description}</span>
    <span class="dim">${WORDS[set.object]} It is kept whole and can be taken along.</span>
    <span class="id dim">${set.sopClass}</span>
    <div class="row">
      ${set.object === 'document' && first ? html`<a class="btn" href="${first.url}/rendered" target="_blank"
        rel="noopener">Open the document</a>` : nothing}
      <button class="btn" type="button" @click=${() => {
        for (const { url, sopUid } of set.instances) attempt(download(url, sopUid), 'The file', say)
      }}>${icon('download')}Download ${count > 1 ? 'them' : 'it'}</button>
    </div></div>`
}
