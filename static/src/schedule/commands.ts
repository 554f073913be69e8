// What is asked of the server, and how its answer is said. A refusal changes nothing here either.
import { $, post } from '../shell/dom'
import { refreshTopics } from '../shell/live'
import { toast, type Toast } from '../shell/toasts'

/** POSTs a command; resolves to whether it was done. The words come from the server. */
export async function command(url: string, fields: Record<string, string>): Promise<boolean> {
  let answer: Response
  try {
    answer = await post(url, fields)
  } catch {
    toast({ text: 'No answer from the server. Nothing was changed; try again.', tone: 'crit' })
    return false
  }
  const header = answer.headers.get('HX-Trigger') ?? ''
  const events = header.startsWith('{') ? (JSON.parse(header) as Record<string, Toast>) : {}
  if (events.toast) toast(events.toast)
  else if (!answer.ok) toast({ text: `The server could not do this (${answer.status}). Nothing was changed.`, tone: 'crit' })
  refreshTopics(['schedule'])
  return answer.ok
}

/** Says something to a screen reader. */
export function say(words: string): void {
  const element = $('#said')
  if (element && element.textContent !== words) element.textContent = words
}
