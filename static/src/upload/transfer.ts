// Bringing files to the server: what each is, what is there of it already, the rest in pieces.
//
// The server says from where a file goes on, so a lost connection, a lost answer or a page that was
// loaded again cost at most one piece. A group of files is examined while the one before it is sent.
import { csrfToken } from '../shell/dom'
import type { Found } from './files'
import { fileMeta, HEAD_BYTES, isZip } from './part10'
import { Sha256 } from './sha256'

export type State = 'idle' | 'going' | 'paused' | 'offline'

export interface Item extends Found {
  phase: 'waits' | 'reading' | 'sending' | 'taking' | 'done' | 'failed'
  sent: number
  outcome: string
  words: string
  url: string
  id: number
  /** Whether it is a DICOM file, and no ZIP. */
  image: boolean
}

interface Answer {
  id: number
  url: string
  received: number
  outcome: string
  words: string
}

export interface Addresses {
  begin: string
  root: string
  pieceBytes: number
}

const GROUP = 25
const GROUP_BYTES = 64 << 20
const SENDERS = 3
const HASH_BYTES = 1 << 20
const LONG_BYTES = 64 << 20
const GONE = 'It changed or went away on this computer.'
const LONGEST_WAIT = 15_000
const AWAY = new Set([0, 502, 503, 504])

/** The server, or a person, has to do something first; the words say what. */
class Stopped extends Error {}
/** This file will not do; the words say why. */
class Refused extends Error {}

export class Transfer {
  readonly items: Item[] = []
  state: State = 'idle'
  /** Why it stopped, where it stopped by itself. */
  why = ''
  private readonly byPath = new Map<string, Item>()
  private readonly offers = new Map<Item, object>()
  private waiting: Item[] = []
  private readonly wakers = new Set<() => void>()

  constructor(
    private readonly addresses: Addresses,
    public upload: number,
    private readonly changed: (item?: Item) => void,
  ) {
    addEventListener('online', () => this.wake())
  }

  /** Takes files; one that is known already is gone on with, if it came to a stop. */
  add(found: Found[]): void {
    for (const one of found) {
      const known = this.byPath.get(one.path)
      if (known && !this.isStuck(known) && known.phase !== 'done') continue
      const item: Item = { ...one, phase: 'waits', sent: 0, outcome: '', words: '', url: '', id: 0, image: false }
      if (known) this.queue(Object.assign(known, item))
      else {
        this.items.push(item)
        this.byPath.set(item.path, item)
        this.queue(item)
      }
    }
    this.start()
    this.changed()
  }

  pause(): void {
    if (this.state === 'idle') return
    this.say('paused')
  }

  resume(): void {
    this.why = ''
    this.say('going')
    this.wake()
  }

  /** Puts what did not come through back to the end of what waits. */
  again(): void {
    for (const item of this.items) {
      if (!this.isStuck(item)) continue
      Object.assign(item, { phase: 'waits', words: '', sent: 0 })
      this.queue(item)
    }
    this.start()
  }

  /** Whether it will not move by itself any more. */
  isStuck(item: Item): boolean {
    return item.phase === 'failed' || (this.state === 'idle' && ['waits', 'reading', 'sending'].includes(item.phase))
  }

  private queue(item: Item): void {
    if (item.phase === 'waits') this.waiting.push(item)
    this.changed(item)
  }

  private start(): void {
    this.why = ''
    if (this.state === 'idle' && this.waiting.length) void this.run()
  }

  async end(): Promise<void> {
    this.waiting = []
    if (this.upload) await this.ask(`${this.addresses.root}${this.upload}/end/`, '')
    this.upload = 0
    this.changed()
  }

  /** Asks what became of the files that a worker takes up. */
  async follow(): Promise<void> {
    const taking = this.items.filter((item) => item.phase === 'taking').slice(0, GROUP)
    if (taking.length && this.upload) await this.offer(taking, taking.map((item) => this.offers.get(item)))
  }

  private async run(): Promise<void> {
    this.say('going')
    try {
      if (!this.upload) this.upload = ((await this.ask(this.addresses.begin, '')) as Answer).id
      let next = this.prepare()
      for (;;) {
        const group = await next
        if (!group) break
        next = this.prepare()
        next.catch(() => undefined) // it is heard of where it is waited for
        await this.sendAll(group)
      }
    } catch (error) {
      this.why = error instanceof Error ? error.message : String(error)
    }
    if (this.why) this.waiting = []
    this.say('idle')
    if (this.waiting.length) void this.run()
  }

  /** Examines and offers the next group; null where nothing waits. */
  private async prepare(): Promise<Item[] | null> {
    const group: Item[] = []
    let bytes = 0
    while (this.waiting.length && group.length < GROUP && bytes < GROUP_BYTES) {
      const item = this.waiting.shift() as Item
      bytes += item.file.size
      group.push(item)
    }
    if (!group.length) return null
    const readable: Item[] = []
    const offers: object[] = []
    for (const item of group) {
      await this.gate()
      this.phase(item, 'reading')
      try {
        const { image, ...identity } = await examine(item.file, (share) => this.phase(item, 'reading', `being read, ${share} %`))
        const offer = { path: item.path, size: item.file.size, ...identity }
        item.image = image
        this.offers.set(item, offer)
        offers.push(offer)
        readable.push(item)
      } catch {
        this.phase(item, 'failed', 'It cannot be read on this computer.')
      }
    }
    if (readable.length) await this.offer(readable, offers)
    return readable.filter((item) => item.phase === 'sending')
  }

  private async offer(items: Item[], offers: (object | undefined)[]): Promise<void> {
    const body = JSON.stringify({ files: offers })
    const answer = (await this.ask(`${this.addresses.root}${this.upload}/offer/`, body)) as { files: Answer[] }
    for (const [n, row] of answer.files.entries()) this.heard(items[n] as Item, row)
  }

  /** Sends a group: small images many in a request, ZIPs and long files piece by piece. */
  private async sendAll(group: Item[]): Promise<void> {
    const rest = this.packed(group)
    const sender = async () => {
      for (let pack = rest.shift(); pack; pack = rest.shift()) {
        try {
          await this.gate()
          if (this.isSmall(pack[0] as Item)) await this.sendWhole(pack)
          else await this.send(pack[0] as Item)
        } catch (error) {
          if (!(error instanceof Refused)) throw error
          for (const item of pack) if (item.phase === 'sending') this.phase(item, 'failed', error.message)
        }
      }
    }
    await Promise.all(Array.from({ length: SENDERS }, sender))
  }

  private isSmall(item: Item): boolean {
    return item.sent === 0 && item.image && item.file.size <= this.addresses.pieceBytes
  }

  private packed(group: Item[]): Item[][] {
    const packs: Item[][] = []
    let open: Item[] = []
    let bytes = 0
    for (const item of group) {
      if (!this.isSmall(item)) packs.push([item])
      else if (open.length && bytes + item.file.size <= this.addresses.pieceBytes) {
        open.push(item)
        bytes += item.file.size
      } else {
        open = [item]
        bytes = item.file.size
        packs.push(open)
      }
    }
    return packs
  }

  private async sendWhole(pack: Item[]): Promise<void> {
    const bodies: ArrayBuffer[] = []
    const sent: Item[] = []
    for (const item of pack) {
      try {
        bodies.push(await item.file.arrayBuffer())
        sent.push(item)
      } catch {
        this.phase(item, 'failed', GONE)
      }
    }
    if (!sent.length) return
    const url = `${this.addresses.root}${this.upload}/files/`
    const body = await new Blob(bodies).arrayBuffer()
    const answer = (await this.ask(url, body, { 'Upload-Files': sent.map((item) => item.id).join() })) as { files: Answer[] }
    for (const [n, row] of answer.files.entries()) this.heard(sent[n] as Item, row)
  }

  private async send(item: Item): Promise<void> {
    while (item.phase === 'sending') {
      await this.gate()
      const piece = item.file.slice(item.sent, item.sent + this.addresses.pieceBytes)
      let body: ArrayBuffer
      try {
        body = await piece.arrayBuffer()
      } catch {
        throw new Refused(GONE)
      }
      this.heard(item, (await this.ask(item.url, body, { 'Upload-Offset': String(item.sent) })) as Answer)
    }
  }

  private heard(item: Item, row: Answer): void {
    item.url = row.url ?? item.url
    item.id = row.id ?? item.id
    item.sent = row.received
    item.outcome = row.outcome ?? ''
    if (item.outcome) {
      item.sent = item.file.size
      this.phase(item, item.outcome === 'refused' ? 'failed' : 'done', row.words)
    } else this.phase(item, row.received === item.file.size ? 'taking' : 'sending')
  }

  /** POSTs, for as long as it takes; a 409 that says where the file goes on is an answer. */
  private async ask(url: string, body: string | ArrayBuffer, more: Record<string, string> = {}): Promise<object> {
    for (let wait = 1000; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      const answer = await fetch(url, {
        method: 'POST',
        headers: {
          'X-CSRFToken': csrfToken(),
          'HX-Request': 'true', // a session that ended is said, not redirected
          ...more,
          'Content-Type': typeof body === 'string' ? 'application/json' : 'application/octet-stream',
        },
        body,
      }).catch(() => new Response(null, { status: 200, headers: { 'X-Away': '1' } }))
      const status = answer.headers.has('X-Away') ? 0 : answer.status
      if (AWAY.has(status)) {
        if (this.state === 'going') this.say('offline')
        await this.sleep(wait)
        await this.gate()
        continue
      }
      if (this.state === 'offline') this.say('going')
      if (status === 204) return {}
      const said = (await answer.json().catch(() => ({}))) as { message?: string; received?: number }
      if (answer.ok || said.received !== undefined) return said
      if (status === 401 || status === 403) throw new Stopped('You were signed out. Sign in again and choose the same files: it goes on where it stopped.')
      if (status === 507) throw new Stopped(said.message ?? 'The archive is full.')
      throw new Refused(said.message ?? `The server could not take it (${status}).`)
    }
  }

  private phase(item: Item, phase: Item['phase'], words = ''): void {
    item.phase = phase
    item.words = words
    this.changed(item)
  }

  private say(state: State): void {
    this.state = state
    this.changed()
  }

  /** Waits while a person wants it to. */
  private async gate(): Promise<void> {
    while (this.state === 'paused') await new Promise<void>((go) => this.wakers.add(go))
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((go) => {
      this.wakers.add(go)
      setTimeout(go, ms)
    })
  }

  private wake(): void {
    for (const go of this.wakers) go()
    this.wakers.clear()
  }
}

/** What identifies a file: the digest of its data set where it is DICOM, of all where it is a ZIP. */
async function examine(file: File, far: (share: number) => void): Promise<{ digest: string; sop: string; image: boolean }> {
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer())
  const meta = fileMeta(head)
  if (!meta && !isZip(head)) return { digest: '', sop: '', image: false }
  const hash = new Sha256()
  for (let at = meta?.offset ?? 0; at < file.size; at += HASH_BYTES) {
    hash.update(new Uint8Array(await file.slice(at, at + HASH_BYTES).arrayBuffer()))
    if (file.size > LONG_BYTES) far(Math.floor((at / file.size) * 100))
  }
  return { digest: hash.hex(), sop: meta?.sop ?? '', image: meta !== null }
}
