// Times that run: text only, once a second at most, and only where the words change.
//
//   data-due="2026-03-12T09:50:00Z"     time left as 0:08, past it −0:07; data-near minutes (10) turn it amber
//   data-since="2026-03-12T09:10:00Z"   time gone by: 38 min, 1 h 10
//   data-timer="2026-03-12T09:10:00Z"   a stop watch: 11:46
//   data-clock                          the time of day: 09:42:18
import { $$ } from './dom'

const pad = (n: number) => String(n).padStart(2, '0')

export function leftWords(seconds: number): string {
  const minutes = seconds < 0 ? Math.floor(-seconds / 60) : Math.floor(seconds / 60)
  return `${seconds < 0 ? '−' : ''}${Math.floor(minutes / 60)}:${pad(minutes % 60)}`
}

export function goneWords(seconds: number): string {
  const minutes = Math.max(0, Math.floor(seconds / 60))
  const hours = Math.floor(minutes / 60)
  if (hours >= 48) return `${Math.floor(hours / 24)} d`
  if (!hours) return `${minutes} min`
  return minutes % 60 ? `${hours} h ${pad(minutes % 60)}` : `${hours} h`
}

export function stopwatchWords(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const hours = Math.floor(whole / 3600)
  return `${hours ? `${hours}:${pad(Math.floor(whole / 60) % 60)}` : Math.floor(whole / 60)}:${pad(whole % 60)}`
}

function write(element: Element, words: string): void {
  const text = element.querySelector('[data-words]') ?? element
  if (text.textContent !== words) text.textContent = words
}

function tick(): void {
  if (document.hidden) return
  const now = Date.now()
  const seconds = (moment: string | undefined) => (Date.parse(moment ?? '') - now) / 1000
  for (const element of $$('[data-due]')) {
    const left = seconds(element.dataset.due)
    const state = left < 0 ? 'over' : left < Number(element.dataset.near ?? 10) * 60 ? 'near' : ''
    if ((element.dataset.d ?? '') !== state) {
      if (state) element.dataset.d = state
      else delete element.dataset.d
    }
    write(element, leftWords(left))
  }
  for (const element of $$('[data-since]')) write(element, goneWords(-seconds(element.dataset.since)))
  for (const element of $$('[data-timer]')) write(element, stopwatchWords(-seconds(element.dataset.timer)))
  const time = new Date(now)
  for (const element of $$('[data-clock]'))
    write(element, `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`)
}

export function startTimers(): void {
  tick()
  setInterval(tick, 1000)
  document.addEventListener('htmx:after:swap', tick)
  document.addEventListener('visibilitychange', tick)
}
