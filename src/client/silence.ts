/** So often within the time that makes a silence one looks whether it has passed. */
const LOOKS = 10

/**
 * Notices when nothing has come for too long. By the clock on the wall, and with many looks instead of one timer: while a
 * machine sleeps, timers stand still, and what they were set for is past when it wakes.
 */
export class Silence {
  readonly #limitMs: number
  readonly #noticed: () => void
  #timer: ReturnType<typeof setInterval> | undefined
  #heardAt = 0

  constructor (limitMs: number, noticed: () => void) {
    this.#limitMs = limitMs
    this.#noticed = noticed
  }

  /** From now on. */
  start (): void {
    this.stop()
    this.heard()
    this.#timer = setInterval(() => { this.look() }, this.#limitMs / LOOKS)
  }

  stop (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  heard (): void {
    this.#heardAt = Date.now()
  }

  look (): void {
    if (this.#timer === undefined) return
    const passedMs = Date.now() - this.#heardAt
    // The clock was set back.
    if (passedMs < 0) this.heard()
    if (passedMs > this.#limitMs) this.#noticed()
  }
}
