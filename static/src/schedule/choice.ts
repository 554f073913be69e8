// What is being placed (an exam to book, an appointment to move) and where: shown by the cursor.
import { $, $$ } from '../shell/dom'
import { clamped, clashes, clockOf, cursor, grid, instantOf, items, laneOf, place, roomOf, type Spot, spotOfInstant, wordsOf } from './grid'

const BROWSE = 15
let spot: Spot | null = null
let moving = '' // id of the appointment's button

export const panel = () => $('#booking')
export const chosenExam = () => panel()?.dataset.exam ?? ''
export const movingItem = () => (moving ? document.getElementById(moving) : null)
export const current = () => spot

/** How long what is being placed takes. */
export function length(): number {
  const lifted = movingItem()
  if (lifted) return Number(lifted.dataset.length)
  const minutes = Number(chosenExam() ? panel()?.dataset.minutes : 0)
  return minutes ? Math.ceil(minutes / 5) * 5 : BROWSE
}

export function lift(item: HTMLElement | null): void {
  movingItem()?.classList.remove('ap--lifted')
  moving = item?.id ?? ''
  item?.classList.add('ap--lifted')
  draw()
}

/** Chooses a place; the offers and the button of the panel follow. */
export function choose(next: Spot | null): void {
  spot = next ? { ...clamped(next), length: length() } : null
  draw()
}

function draw(): void {
  const mark = cursor()
  if (!mark) return
  mark.hidden = !spot
  if (!spot) return
  spot = { ...spot, length: length() }
  place(mark, spot)
  const lifted = movingItem()
  const who = lifted?.dataset.who ?? (chosenExam() ? panel()?.dataset.who : undefined)
  mark.classList.toggle('ap--hold', Boolean(who))
  mark.toggleAttribute('data-clash', Boolean(who) && clashes(spot, lifted ?? undefined))
  const what = lifted ? 'Move here' : who ? 'Book here' : 'Free'
  const [title, more] = [$('[data-words]', mark), $('[data-more]', mark)]
  if (title) title.textContent = who ? (who.split(',')[0] ?? who) : clockOf(spot)
  if (more) more.textContent = who ? `${clockOf(spot)}, ${spot.length} min` : ''
  mark.setAttribute('aria-label', `${what}: ${wordsOf(spot)}, ${spot.length} min`)
  drawPanel()
}

/** The offer that is chosen, and the words on the button. */
function drawPanel(): void {
  const form = $<HTMLFormElement>('#book-form')
  if (!form || !spot || movingItem()) return
  const room = laneOf(spot.column)?.dataset.room ?? ''
  const start = instantOf(spot)
  setSlot(`${room} ${start}`, `Book ${wordsOf(spot).replace(`${roomOf(spot)}, `, '')}`)
  for (const offer of $$('[data-offer]')) {
    const same = offer.dataset.room === room && Date.parse(offer.dataset.start ?? '') === Date.parse(start)
    offer.setAttribute('aria-checked', String(same))
  }
}

function setSlot(value: string, words: string): void {
  const form = $<HTMLFormElement>('#book-form')
  const field = form && $<HTMLInputElement>('[name="slot"]', form)
  const text = form && $('#book-button [data-words]', form)
  if (field) field.value = value
  if (text) text.textContent = words
}

/** Takes an offer of the panel: in the grid where its day is shown, else in the panel alone. */
export function takeOffer(offer: HTMLElement): void {
  const { room = '', start = '', words = '' } = offer.dataset
  const found = spotOfInstant(room, start, length())
  if (found) {
    choose(found)
    cursor()?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
    return
  }
  spot = null
  draw()
  for (const other of $$('[data-offer]')) other.setAttribute('aria-checked', String(other === offer))
  setSlot(`${room} ${start}`, `Book ${words}`)
}

/** After the panel or the grid came new from the server. */
export function resume(): void {
  const item = movingItem()
  if (moving && !item) moving = ''
  item?.classList.add('ap--lifted')
  const chosen = panel()?.dataset.appointment ?? ''
  for (const other of items()) {
    if (chosen && other.dataset.appointment === chosen) other.setAttribute('aria-current', 'true')
    else other.removeAttribute('aria-current')
  }
  if (grid()) draw()
}
