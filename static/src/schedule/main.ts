// The schedule: choose an exam, choose a place, book; move and cancel; by mouse and by keyboard.
import { $, $$, origin } from '../shell/dom'
import htmx from '../shell/htmx'
import { register } from '../shell/keys'
import { choose, chosenExam, lift, movingItem, panel, resume, takeOffer } from './choice'
import { command, say } from './commands'
import { dragging, startDrag } from './drag'
import { cursor, grid, instantOf, laneOf, place, type Spot, spotAt, spotOf, wordsOf } from './grid'
import { startKeyboard } from './keyboard'

const field = (spot: Spot) => ({ room: laneOf(spot.column)?.dataset.room ?? '', start: instantOf(spot) })

let opened = 0
const askedAt = new WeakMap<object, number>()
interface Swap {
  ctx: { target?: Element }
}

/** Opens something in the side panel; the address says it, so that it can be kept and shared. */
async function openPanel(url: string, address = ''): Promise<void> {
  lift(null)
  choose(null)
  opened += 1
  // a refresh that begins before the answer comes asks for the same: the old panel does not come back
  panel()?.setAttribute('hx-get', url)
  await htmx.ajax('GET', url, { target: '#booking', swap: 'outerMorph' })
  panel()?.focus({ preventScroll: true })
  const first = $('[data-offer]')
  if (first) takeOffer(first)
  if (address) history.replaceState(null, '', address)
}

const baseUrl = () => {
  const address = new URL(location.href)
  for (const name of ['exam', 'appointment', 'panel']) address.searchParams.delete(name)
  return address
}

const panelUrl = (name = '', value = '') => {
  const address = baseUrl()
  if (name) address.searchParams.set(name, value)
  return { fragment: `/schedule/panel/${address.search}`, address: address.href }
}

async function book(exam: string, spot: Spot): Promise<void> {
  const done = await command('/schedule/book/', { exam, ...field(spot) })
  choose(null)
  if (!done) return
  const { fragment, address } = panelUrl()
  await openPanel(fragment, address)
}

/** Moves on the page at once; a refusal puts it back. */
async function move(item: HTMLElement, to: Spot): Promise<void> {
  const before = spotOf(item)
  lift(null)
  choose(null)
  place(item, to)
  item.setAttribute('aria-busy', 'true')
  const { appointment = '', version = '' } = item.dataset
  const done = await command(`/schedule/appointments/${appointment}/move/`, { version, ...field(to) })
  item.removeAttribute('aria-busy')
  if (!done) {
    place(item, before)
    say('Not moved. It is back where it was.')
  }
}

function startMove(): void {
  const number = panel()?.dataset.appointment
  const item = number ? $(`.ap[data-appointment="${number}"][data-movable]`) : null
  if (!item) return
  lift(item)
  choose(spotOf(item))
  cursor()?.focus({ preventScroll: true })
  say('Moving. Arrows choose the place, Enter moves it there, Escape leaves it.')
}

function openCancel(link: HTMLElement): void {
  const dialog = $<HTMLDialogElement>('#cancel-dialog')
  const form = dialog && $<HTMLFormElement>('form', dialog)
  const version = form && $<HTMLInputElement>('[name="version"]', form)
  const who = dialog && $('[data-who]', dialog)
  if (!dialog || !form || !version || !who) return
  form.action = link.dataset.url ?? ''
  version.value = link.dataset.version ?? ''
  who.textContent = link.dataset.who ?? ''
  dialog.showModal()
}

/** The cursor was pressed: the main thing is done where it stands. */
function press(spot: Spot): void {
  const item = movingItem()
  if (item) void move(item, spot)
  else if (chosenExam()) void book(chosenExam(), spot)
  else say(`${wordsOf(spot)} is free. Choose an exam to book.`)
}

function onClick(event: MouseEvent): void {
  const from = origin(event)
  const link = from?.closest<HTMLAnchorElement>('a[data-panel]')
  const offer = from?.closest<HTMLElement>('[data-offer]')
  const item = from?.closest<HTMLElement>('.ap[data-appointment]')
  const action = from?.closest<HTMLElement>('[data-do]')
  if (event.ctrlKey || event.metaKey || event.shiftKey) return
  if (link) {
    event.preventDefault()
    void openPanel(link.dataset.panel ?? '', link.href)
  } else if (offer) takeOffer(offer)
  else if (action?.dataset.do === 'move' && grid()) {
    event.preventDefault()
    startMove()
  } else if (action?.dataset.do === 'cancel') {
    event.preventDefault()
    openCancel(action)
  } else if (action?.dataset.do === 'close-dialog') action.closest('dialog')?.close()
  else if (from?.closest('#cursor')) pressCursor()
  else if (item && !movingItem()) {
    const { fragment, address } = panelUrl('appointment', item.dataset.appointment)
    void openPanel(fragment, address)
  } else if (from?.closest('#grid')) {
    const spot = spotAt(event.clientX, event.clientY, 0)
    if (spot) choose({ ...spot, minutes: Math.floor(spot.minutes / 5) * 5 })
  }
}

function pressCursor(): void {
  const mark = cursor()
  const at = mark && /rm-(\d+) at-(\d\d)(\d\d) for-(\d+)/.exec(mark.className)
  if (!at) return
  press({ column: Number(at[1]), minutes: Number(at[2]) * 60 + Number(at[3]), length: Number(at[4]) })
}

async function onSubmit(event: SubmitEvent): Promise<void> {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || !('command' in form.dataset)) return
  event.preventDefault()
  const fields = Object.fromEntries([...new FormData(form)].map(([k, v]) => [k, String(v)]))
  const booking = form.id === 'book-form'
  if (!(await command(form.action, fields))) return
  form.closest('dialog')?.close()
  if (booking) {
    choose(null)
    const { fragment, address } = panelUrl()
    await openPanel(fragment, address)
  }
}

function leave(): void {
  lift(null)
  choose(null)
  say('Left as it was.')
}

/** While something is moved, Escape leaves it and closes nothing. */
function startLeave(): void {
  const capture = { capture: true }
  document.addEventListener(
    'keydown',
    (event) => {
      if (event.key !== 'Escape' || !movingItem() || document.querySelector('dialog[open]')) return
      event.preventDefault()
      event.stopPropagation()
      leave()
    },
    capture,
  )
}

function keys(): void {
  const group = 'Schedule'
  register(
    { keys: 'B', label: 'Choose the next exam to book', group, when: () => !chosenExam() && $('#next-exam') !== null, run: () => $('#next-exam')?.click() },
  )
}

/** The line of now goes with the time. */
function startNow(): void {
  setInterval(() => {
    const line = $('#now-line')
    const lane = $$('[data-lane]').find((l) => l.dataset.date === grid()?.dataset.today)
    if (!line || !lane) return
    const minutes = Math.floor((Date.now() - Date.parse(lane.dataset.midnight ?? '')) / 300_000) * 5
    place(line, { column: 1, minutes, length: 5 })
    line.classList.remove('rm-1')
    const words = $('b', line)
    if (words)
      words.textContent = new Intl.DateTimeFormat('en-GB', { timeZone: grid()?.dataset.zone, hour: '2-digit', minute: '2-digit' }).format(Date.now())
  }, 20_000)
}

/** The grid does not change under a hand that carries something; the panel shows what was opened last. */
function holdRefresh(): void {
  document.addEventListener('htmx:before:request', (event) => {
    askedAt.set((event as CustomEvent<Swap>).detail.ctx, opened)
    if (dragging()) event.preventDefault()
  })
  document.addEventListener('htmx:before:swap', (event) => {
    const { ctx } = (event as CustomEvent<Swap>).detail
    if (ctx.target?.id === 'booking' && askedAt.get(ctx) !== opened) event.preventDefault()
  })
}

function scrollToNow(): void {
  const line = $('#now-line') ?? $('.ap[data-column]')
  const area = $('#day-scroll')
  if (line && area) area.scrollTop = Math.max(0, line.offsetTop - 140)
}

document.addEventListener('click', onClick)
document.addEventListener('submit', (event) => void onSubmit(event))
document.addEventListener('htmx:after:swap', resume)
keys()
startLeave()
startKeyboard()
startDrag(({ item, exam, spot }) => {
  if (item) void move(item, spot)
  else void book(exam, spot)
})
startNow()
holdRefresh()
scrollToNow()
resume()
const first = $('[data-offer][aria-checked="true"]')
if (first) takeOffer(first)
