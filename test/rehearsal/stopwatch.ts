import type { Observer } from '../chaos/crowd.js'

/** What clients had to wait for over some time. */
export interface Lap {
  readonly what: string
  readonly seconds: number
  /** How long each client was without a stream that was greeted again in this time, in milliseconds, ascending. */
  readonly absences: readonly number[]
  /** Clients that lost a stream without having been told to come back. */
  readonly cutOff: number
  /** From the publication of an event to its arrival, at worst, in milliseconds. */
  readonly longestDelay: number
}

/** Takes the time of all clients, in laps. */
export class Stopwatch implements Observer {
  readonly #laps: Lap[] = []
  #what: string
  #since = performance.now()
  #absences: number[] = []
  #cutOff = 0
  #longestDelay = 0

  /** @param what of the first lap. */
  constructor (what: string) {
    this.#what = what
  }

  /** Another lap begins. */
  lap (what: string): void {
    const now = performance.now()
    this.#laps.push({
      what: this.#what,
      seconds: (now - this.#since) / 1_000,
      absences: this.#absences.sort((a, b) => a - b),
      cutOff: this.#cutOff,
      longestDelay: this.#longestDelay,
    })
    this.#what = what
    this.#since = now
    this.#absences = []
    this.#cutOff = this.#longestDelay = 0
  }

  /** All laps, the present one included, which ends. */
  stop (): readonly Lap[] {
    this.lap('')
    return this.#laps
  }

  received (ms: number): void {
    this.#longestDelay = Math.max(this.#longestDelay, ms)
  }

  cutOff (): void {
    this.#cutOff++
  }

  back (ms: number): void {
    this.#absences.push(ms)
  }
}
