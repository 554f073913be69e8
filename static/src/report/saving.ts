// Saving while one writes, so that no word is lost: to the server every two seconds, and until the server has
// it, to this desk's own storage, from where it comes back after a crash.
import { $, csrfToken } from '../shell/dom'
import type { Section } from './editor'

const PAUSE = 2000
const RETRY = 5000

interface Kept {
  revision: number
  at: string
  sections: Section[]
}

interface Answer {
  saved?: boolean
  revision?: number
  saved_at?: string
  message?: string
}

export const same = (a: Section[], b: Section[]) => JSON.stringify(a) === JSON.stringify(b)
const clock = () => new Date().toLocaleTimeString('en-GB')

export class Saving {
  revision: number
  private timer = 0
  private running: Promise<boolean> | null = null
  private dirty = false
  private stopped = false
  private readonly page = crypto.randomUUID?.() ?? String(Math.random()).slice(2)
  private readonly key: string

  constructor(
    private readonly form: HTMLFormElement,
    private readonly read: () => Section[],
  ) {
    this.revision = Number(form.dataset.revision)
    this.key = `isocenter:draft:${form.dataset.user}:${form.dataset.report}`
    addEventListener('pagehide', () => {
      if (this.dirty) this.keep()
    })
    addEventListener('online', () => void this.flush())
  }

  /** What this desk wrote and the server never got; null where there is nothing or it is the same. */
  left(): Kept | null {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key) ?? 'null') as Kept | null
      if (kept && !same(kept.sections, this.read())) return kept
    } catch {
      return null // storage is switched off, or holds what we did not write
    }
    this.forget()
    return null
  }

  forget(): void {
    localStorage.removeItem(this.key)
  }

  changed(): void {
    this.dirty = true
    this.keep()
    this.say('Writing')
    clearTimeout(this.timer)
    this.timer = window.setTimeout(() => void this.flush(), PAUSE)
  }

  /** Saves what is not saved; tells whether the server has every word now. */
  async flush(): Promise<boolean> {
    clearTimeout(this.timer)
    if (this.running) await this.running
    if (this.stopped) return false
    if (!this.dirty) return true
    this.running = this.send()
    const done = await this.running
    this.running = null
    return done
  }

  private async send(): Promise<boolean> {
    const sections = this.read()
    this.dirty = false
    this.say('Saving')
    let answer: Response
    try {
      answer = await fetch(this.form.action, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: 'application/json', 'X-CSRFToken': csrfToken() },
        body: JSON.stringify({ revision: this.revision, sections, page: this.page }),
      })
    } catch {
      return this.later('Not saved: no answer from the server. The text is kept on this desk; trying again.')
    }
    if (answer.status >= 500 || answer.status === 401 || answer.redirected) {
      const signedOut = answer.status === 401 || answer.redirected
      return this.later(
        signedOut
          ? 'Not saved: you are signed out. Sign in again in another tab; the text is kept on this desk.'
          : 'Not saved: the server could not. The text is kept on this desk; trying again.',
      )
    }
    const body = (await answer.json()) as Answer
    if (answer.ok && body.saved) {
      this.revision = body.revision ?? this.revision
      if (!this.dirty) this.forget()
      this.say(`Saved ${clock()}. Nothing you type is lost.`)
      return true
    }
    this.stopped = true
    this.forget() // it is kept on the server, beside the other text
    this.say(body.message ?? 'Not saved.', true)
    document.dispatchEvent(new CustomEvent('report:conflict', { detail: body.message ?? '' }))
    return false
  }

  private later(words: string): boolean {
    this.dirty = true
    this.keep()
    this.say(words, true)
    this.timer = window.setTimeout(() => void this.flush(), RETRY)
    return false
  }

  private keep(): void {
    const kept: Kept = { revision: this.revision, at: new Date().toISOString(), sections: this.read() }
    try {
      localStorage.setItem(this.key, JSON.stringify(kept))
    } catch {
      this.say('This desk keeps no copy. Saving to the server only.', true)
    }
  }

  private say(words: string, loud = false): void {
    const state = $('#save-state')
    if (!state) return
    state.textContent = words
    state.classList.toggle('is-loud', loud)
  }
}
