// The upload page: what is dropped or chosen, how far it is, what became of it.
import { $, origin } from '../shell/dom'
import htmx from '../shell/htmx'
import { chosen, dropped, type Found } from './files'
import { type Item, Transfer } from './transfer'

const SHOWN_ROWS = 300
const EVERY = 2000
const WORDS: Record<Item['phase'], string> = {
  waits: 'waiting', reading: 'being read', sending: 'being sent', taking: 'going into the archive', done: '', failed: '',
}

const page = $('#upload')
if (page) start(page)

function start(page: HTMLElement): void {
  const { begin = '', root = '', piece = '0', upload = '0' } = page.dataset
  const transfer = new Transfer({ begin, root, pieceBytes: Number(piece) }, Number(upload), changed)
  const rows = new Map<Item, HTMLElement>()
  let shown = Number(upload) // whose result is shown, after its end too
  let asking = false
  let pending = false

  /** One look at the page a frame, however many files changed. */
  function changed(item?: Item): void {
    if (item && item.phase !== 'waits') drawRow(item)
    if (transfer.upload) shown = transfer.upload
    if (pending) return
    pending = true
    requestAnimationFrame(() => {
      pending = false
      drawBar()
    })
  }

  function drawRow(item: Item): void {
    const row = rows.get(item) ?? newRow(item)
    if (!row) return
    const meter = $<HTMLProgressElement>('progress', row)
    const words = $('[data-words]', row)
    if (meter) {
      meter.max = Math.max(item.file.size, 1)
      meter.value = item.phase === 'done' ? meter.max : item.sent
      meter.dataset.k = item.phase === 'failed' ? 'crit' : item.phase === 'done' ? '' : 'accent'
    }
    if (words) words.textContent = item.words || WORDS[item.phase]
  }

  /** The newest stands first; of many, those that came through go first. */
  function newRow(item: Item): HTMLElement | null {
    const template = $<HTMLTemplateElement>('#row')
    const list = $('[data-rows]')
    const row = template?.content.firstElementChild?.cloneNode(true) as HTMLElement | undefined
    if (!row || !list) return null
    const name = $('[data-name]', row)
    if (name) name.textContent = name.title = item.path
    $('progress', row)?.setAttribute('aria-label', `How far ${item.path} has come`)
    list.prepend(row)
    rows.set(item, row)
    if (rows.size > SHOWN_ROWS)
      for (const [old, element] of rows) {
        if (old.phase !== 'done') continue
        element.remove()
        rows.delete(old)
        break
      }
    return row
  }

  const count = (...phases: Item['phase'][]) => transfer.items.filter((item) => phases.includes(item.phase)).length

  function drawBar(): void {
    const all = transfer.items.length
    show('[data-bar]', all > 0 || transfer.upload > 0)
    show('[data-none]', all === 0)
    if (all) $('[data-interrupted]')?.remove()
    const here = count('done', 'taking')
    const failed = count('failed')
    say('[data-state]', stateWords(all, failed))
    say('[data-count]', all ? `${here} of ${all} files${failed ? `, ${failed} not taken` : ''}` : '')
    say('[data-pause]', transfer.state === 'paused' ? 'Go on' : 'Pause')
    show('[data-do="pause"]', transfer.state !== 'idle')
    show('[data-do="again"]', transfer.state === 'idle' && transfer.items.some((item) => transfer.isStuck(item)))
    show('[data-do="end"]', transfer.upload > 0)
    const meter = $<HTMLProgressElement>('[data-all]')
    if (meter) {
      meter.max = Math.max(transfer.items.reduce((sum, item) => sum + item.file.size, 0), 1)
      meter.value = transfer.items.reduce((sum, item) => sum + (item.phase === 'failed' ? 0 : item.sent), 0)
      meter.hidden = !all
    }
  }

  function stateWords(all: number, failed: number): string {
    if (transfer.why) return transfer.why
    if (transfer.state === 'going') return 'Sending.'
    if (transfer.state === 'paused') return 'Paused.'
    if (transfer.state === 'offline') return 'The connection is lost. It goes on by itself.'
    if (!all) return transfer.upload ? 'The rest is missing.' : ''
    if (count('taking')) return 'All is here. The archive is taking it.'
    return failed ? 'Some files were not taken.' : 'Everything is here.'
  }

  /** Looks what became of it, and ends what has come to its end. */
  async function look(): Promise<void> {
    const active = transfer.state !== 'idle' || count('taking') > 0 || waiting() > 0
    if (!shown || asking || (!active && !transfer.upload)) return
    asking = true
    try {
      await transfer.follow()
      await htmx.ajax('GET', `${root}${shown}/`, { target: '#result', swap: 'innerHTML' })
      const whole = transfer.items.length ? count('done') === transfer.items.length : left() === 0
      if (transfer.upload && transfer.state === 'idle' && whole && waiting() === 0) {
        $('[data-interrupted]')?.remove()
        await transfer.end()
      }
    } catch {
      // the transfer says that the connection is lost; the next look comes by itself
    } finally {
      asking = false
    }
  }

  const result = () => $('[data-result]')
  const waiting = () => Number(result()?.dataset.waiting ?? 0)
  const left = () => Number(result()?.dataset.total ?? 1) - Number(result()?.dataset.done ?? 0)

  function take(found: Found[]): void {
    if (found.length) transfer.add(found)
  }

  const input = (name: string) => $<HTMLInputElement>(`[data-${name}]`, page)
  for (const name of ['files', 'folder']) {
    const field = input(name)
    field?.addEventListener('change', () => take(chosen(field)))
  }
  document.addEventListener('click', (event) => {
    const deed = origin(event)?.closest<HTMLElement>('[data-do]')?.dataset.do
    if (deed === 'files' || deed === 'folder') input(deed)?.click()
    else if (deed === 'pause') transfer.state === 'paused' ? transfer.resume() : transfer.pause()
    else if (deed === 'again') transfer.again()
    else if (deed === 'end') void transfer.end().then(() => location.reload())
  })
  const drop = $('[data-drop]', page)
  for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop'])
    document.addEventListener(kind, (event) => {
      event.preventDefault() // a file dropped beside the place would replace the page
      drop?.toggleAttribute('data-over', kind === 'dragenter' || kind === 'dragover')
      const data = (event as DragEvent).dataTransfer
      if (kind === 'drop' && data) void dropped(data).then(take)
    })
  addEventListener('beforeunload', (event) => {
    if (transfer.state !== 'idle') event.preventDefault()
  })
  setInterval(() => void look(), EVERY)
  drawBar()
}

function show(selector: string, visible: boolean): void {
  const element = $(selector)
  if (element) element.hidden = !visible
}

function say(selector: string, words: string): void {
  const element = $(selector)
  if (element && element.textContent !== words) element.textContent = words
}
