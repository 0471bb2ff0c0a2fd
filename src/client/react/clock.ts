import { Listeners } from '../listeners.js'

const TICK_MS = 1_000

/** Ticks once a second, as long as somebody counts down. Between two ticks it is always the same time. */
export class Clock {
  readonly #watchers = new Listeners<[]>()
  #watching = 0
  #timer: ReturnType<typeof setInterval> | undefined
  #now = 0

  /** Unix milliseconds, as of the last tick. */
  readonly now = (): number => {
    // Or the clock was set back.
    if (this.#timer === undefined && Math.abs(Date.now() - this.#now) >= TICK_MS) this.#now = Date.now()
    return this.#now
  }

  /** @returns what ends that. */
  readonly subscribe = (watcher: () => void): (() => void) => {
    const remove = this.#watchers.add(watcher)
    if (this.#watching++ === 0) this.#timer = setInterval(() => { this.#tick() }, TICK_MS)
    return () => {
      remove()
      if (--this.#watching > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    }
  }

  #tick (): void {
    this.#now = Date.now()
    this.#watchers.tell()
  }
}
