import { micros } from './clock.js'

/** What is about to be published, and what is to come of it. */
export interface Expectation {
  /** The number of the first event that counts; earlier ones (a warm-up's that lag) do not. */
  readonly from: number
  /** How many events all clients together are to get. */
  readonly events: number
  /**
   * Of every so many event numbers one is timed, at all clients: chosen by number and not by what happens to begin a
   * chunk, or the percentiles would be those of the events that waited least.
   */
  readonly sampleEvery: number
}

/** What all streams have brought since {@link Tally.expect}. */
export class Tally {
  delivered = 0
  /** Events that came again, or after a later one. */
  doubled = 0
  /** Events that were missing when a later one came. */
  skipped = 0
  /** Events whose bytes are not those that were published. */
  corrupt = 0
  heartbeats = 0
  /** Events that a client parsed, which would have seen an id. */
  parsed = 0
  /** Of these, those that bore one. */
  identified = 0
  /** Control events after the greeting: the service had something to say that no client should hear here. */
  unexpected = 0
  /** Streams that the server ended. */
  ended = 0
  /** When the last of the expected events came; `undefined` as long as some are missing. */
  completedAt: number | undefined
  #expected: Expectation = { from: 0, events: 0, sampleEvery: 1 }
  #latencies = new Float64Array(0)
  #timed = 0
  #onComplete: (() => void) | undefined

  expect (expectation: Expectation): void {
    this.#expected = expectation
    this.#latencies = new Float64Array(Math.ceil(expectation.events / expectation.sampleEvery * 1.1) + 1_000)
    this.#timed = this.delivered = this.doubled = this.skipped = this.corrupt = this.heartbeats = this.parsed = this.identified = this.unexpected = this.ended = 0
    this.completedAt = undefined
  }

  /**
   * Takes note of an event of a stream that waits for `due`, the stream's events being numbered in steps of `step`.
   * @returns the number that the stream waits for from now on.
   */
  arrived (number: number, due: number, step: number): number {
    if (number < due) {
      this.doubled++
      return due
    }
    if (number > due) this.skipped += (number - due) / step
    if (number >= this.#expected.from && ++this.delivered === this.#expected.events) {
      this.completedAt = micros()
      this.#onComplete?.()
    }
    return number + step
  }

  /** Whether this event is one of those that are timed. */
  isSample (number: number): boolean {
    return number % this.#expected.sampleEvery === 0 && number >= this.#expected.from
  }

  timed (publishedAt: number): void {
    if (this.#timed < this.#latencies.length) this.#latencies[this.#timed++] = micros() - publishedAt
  }

  /** From publication to arrival, in microseconds, ascending. */
  get latencies (): Float64Array {
    return this.#latencies.subarray(0, this.#timed).sort()
  }

  /** Resolves when all that was expected has come, or so much later. */
  async complete (withinMs: number): Promise<void> {
    if (this.delivered >= this.#expected.events) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.#onComplete = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#onComplete = undefined
  }
}
