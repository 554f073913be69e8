/** Playing the frames of a pane at the speed they were taken. */

import type { Pane } from './pane'

const DEFAULT_MS = 1000 / 15
const FASTEST_MS = 1000 / 60

export class Cine {
  private handle = 0
  private due = 0
  playing = false
  onChange: () => void = () => undefined

  constructor(private readonly pane: Pane) {}

  get frameMs(): number {
    return Math.max(this.pane.frame?.frameTime || DEFAULT_MS, FASTEST_MS)
  }

  toggle(): void {
    if (this.playing) this.stop()
    else this.start()
  }

  stop(): void {
    if (!this.playing) return
    this.playing = false
    cancelAnimationFrame(this.handle)
    this.onChange()
  }

  private start(): void {
    if ((this.pane.images?.frames.length ?? 0) < 2) return
    this.playing = true
    this.due = performance.now() + this.frameMs
    this.handle = requestAnimationFrame((now) => this.tick(now))
    this.onChange()
  }

  private tick(now: number): void {
    const { images } = this.pane
    if (!this.playing || !images) return
    // A frame that has not come yet is waited for: none is skipped in silence.
    if (now >= this.due && (this.pane.ready || this.pane.error)) {
      void this.pane.goTo((this.pane.index + 1) % images.frames.length)
      this.due = Math.max(this.due + this.frameMs, now)
    }
    this.handle = requestAnimationFrame((later) => this.tick(later))
  }
}
