// Keeps a reader's claim on an exam while its page is open, and says when it is gone.
import { post } from './dom'

const BEAT = 60_000

/** Say every minute that the exam is still open; `lost` is called once, when somebody else has it. */
export function keepClaim(url: string, lost: () => void): void {
  const beat = async () => {
    const answer = await post(url).catch(() => undefined)
    if (!answer?.ok) return // the server is away, or the session over: its own page says so
    const { claimed } = (await answer.json()) as { claimed: boolean }
    if (claimed) return
    clearInterval(timer)
    lost()
  }
  const timer = setInterval(() => void beat(), BEAT)
}
