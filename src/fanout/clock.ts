/** A wall clock that has gone further from the monotonic one was set, or is about to be that far off; in milliseconds. */
const STEP_MS = 1_000

/**
 * Unix time that never steps: it goes on by the monotonic clock from what the wall clock once said. What is to be ordered by
 * time, or told to lie before or after something else, is told by this.
 */
export class Clock {
  readonly #wall: () => number
  #offset: number

  /** @param wall what may be set at any time, in Unix milliseconds. */
  constructor (wall: () => number = Date.now) {
    this.#wall = wall
    this.#offset = wall() - performance.now()
  }

  now (): number {
    return this.at(performance.now())
  }

  /** In Unix milliseconds, a time on the monotonic clock. */
  at (monotonicMs: number): number {
    return Math.floor(this.#offset + monotonicMs)
  }

  /** Goes by what the wall clock says now, if it was set, and says whether: times told before then mean nothing any more. */
  heed (): boolean {
    const offset = this.#wall() - performance.now()
    if (Math.abs(offset - this.#offset) < STEP_MS) return false
    this.#offset = offset
    return true
  }
}
