// Warns before the sign-in ends, and keeps the page and what was typed.
import { $, post } from './dom'

const WARN_BEFORE = 120

export function startSession(): void {
  const dialog = $<HTMLDialogElement>('#session-dialog')
  if (!dialog) return
  const url = dialog.dataset.url ?? ''
  const left = $('[data-session-left]', dialog)
  const lasts = Number(dialog.dataset.seconds)
  const warnAt = Math.min(WARN_BEFORE, lasts / 2)
  let ends = Date.now() + lasts * 1000
  let over = false

  const show = () => {
    const seconds = Math.round((ends - Date.now()) / 1000)
    if (seconds > warnAt || over) return
    if (!dialog.open) dialog.showModal()
    over = seconds <= 0
    if (!left) return
    left.textContent = over
      ? 'Your sign-in has ended. Sign in again in another tab; what you typed here stays.'
      : `Your sign-in ends in ${seconds > 60 ? `${Math.ceil(seconds / 60)} min` : `${seconds} s`}. Nothing you typed is lost.`
  }
  $('[data-session-stay]', dialog)?.addEventListener('click', async () => {
    const answer = await post(url)
    if (answer.ok) {
      ends = Date.now() + lasts * 1000
      over = false
      dialog.close()
    } else location.reload()
  })
  setInterval(show, 1000)
}
