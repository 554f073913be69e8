/** The viewer's page: starts when the document is there, says so when it cannot. */

import './viewer.css'
import { keepClaim } from '../shell/claim'
import { toast } from '../shell/toasts'
import { Viewer } from './app'
import { startEngine } from './engine/setup'
import { inspector } from './inspect'
import { launch } from './launch'
import { startKeys } from './ui/keys'
import { startPanel } from './ui/panel'
import { startSeries } from './ui/series'
import { startToolbar } from './ui/toolbar'

async function start(): Promise<void> {
  const grid = document.querySelector<HTMLElement>('#main')
  const strip = document.querySelector<HTMLElement>('#series')
  if (!grid || !strip) return
  const engine = startEngine()
  const viewer = new Viewer(await launch(grid.dataset.launch ?? ''), engine, grid)
  const draw = [startToolbar(viewer), startSeries(viewer, strip), startPanel(viewer)]
  let waiting = false
  viewer.onChange = () => {
    if (waiting) return
    waiting = true
    requestAnimationFrame(() => {
      waiting = false
      for (const part of draw) part()
    })
  }
  viewer.onSay = (text, undo) => toast({ text, tone: undo ? 'done' : 'attn', ...(undo && { undo }) })
  startKeys(viewer)
  const { heartbeat } = viewer.launch
  if (heartbeat) keepClaim(heartbeat, () => viewer.onSay('This exam is no longer claimed by you; somebody may have taken it.'))
  window.isocenterViewer = inspector(viewer)
  viewer.onChange()
  await viewer.start()
}

start().catch((error: unknown) => {
  const grid = document.querySelector<HTMLElement>('#main')
  const words = document.createElement('p')
  words.className = 'vp__msg'
  words.setAttribute('role', 'alert')
  words.textContent = `The viewer did not start: ${error instanceof Error ? error.message : String(error)}. Load the page again; nothing is lost.`
  grid?.replaceChildren(words)
})
