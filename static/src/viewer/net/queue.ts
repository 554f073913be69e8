/** Requests in order of need: what is on the screen, then what is around it, then the rest. */

export const Priority = { Visible: 0, Near: 1, Rest: 2 } as const
export type Priority = (typeof Priority)[keyof typeof Priority]

type Job<T> = {
  key: string
  priority: Priority
  order: number
  run: (signal: AbortSignal) => Promise<T>
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (reason: unknown) => void
  abort: AbortController
  running: boolean
}

/** Jobs by key, each done once; asking again for one that waits only raises its priority. */
export class RequestQueue<T> {
  private readonly jobs = new Map<string, Job<T>>()
  private running = 0
  private order = 0

  /** `background` jobs never fill the last slots, so that the screen is served at once. */
  constructor(private readonly slots = 6, private readonly background = 4) {}

  get size(): number {
    return this.jobs.size
  }

  add(key: string, priority: Priority, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const known = this.jobs.get(key)
    if (known) {
      if (priority < known.priority) {
        known.priority = priority
        this.next()
      }
      return known.promise
    }
    let resolve!: (value: T) => void
    let reject!: (reason: unknown) => void
    const promise = new Promise<T>((yes, no) => {
      resolve = yes
      reject = no
    })
    const abort = new AbortController()
    this.jobs.set(key, {
      key, priority, order: this.order++, run, promise, resolve, reject, abort, running: false,
    })
    this.next()
    return promise
  }

  /** Drop what waits and is no longer wanted; what already runs is let finish. */
  forget(keep: (key: string, priority: Priority) => boolean): void {
    for (const job of [...this.jobs.values()]) {
      if (job.running || keep(job.key, job.priority)) continue
      this.jobs.delete(job.key)
      job.promise.catch(() => undefined)
      job.reject(new DOMException('no longer wanted', 'AbortError'))
    }
  }

  private next(): void {
    while (this.running < this.slots) {
      let best: Job<T> | undefined
      for (const job of this.jobs.values()) {
        if (job.running) continue
        const sooner = !best || job.priority < best.priority
          || (job.priority === best.priority && job.order < best.order)
        if (sooner) best = job
      }
      if (!best || (best.priority !== Priority.Visible && this.running >= this.background)) return
      this.start(best)
    }
  }

  private start(job: Job<T>): void {
    job.running = true
    this.running += 1
    job.run(job.abort.signal).then(job.resolve, job.reject).finally(() => {
      this.jobs.delete(job.key)
      this.running -= 1
      this.next()
    })
  }
}
