import { Tally } from './tally.js'

/** Rates are of the last one to two of these, in milliseconds. */
const PERIOD_MS = 5_000
/** Rates over less than this say little, in milliseconds. */
const LEAST_MS = 1_000

/** How many messages each merchant has per second, of late. */
export class Rates {
  #present = new Tally()
  #before = new Tally()
  #presentSince: number
  #since: number

  /** @param now on the monotonic clock, in milliseconds. */
  constructor (now = performance.now()) {
    this.#presentSince = this.#since = now
  }

  add (merchantId: string): void {
    this.#present.add(merchantId)
  }

  /** Each merchant's rate. To be asked about once a second: what is too old is forgotten then. */
  * read (now = performance.now()): Generator<readonly [merchantId: string, perSecond: number]> {
    const seconds = Math.max(LEAST_MS, now - this.#since) / 1_000
    const [present, before] = [this.#present, this.#before]
    if (now - this.#presentSince >= PERIOD_MS) {
      this.#before = present
      this.#present = new Tally()
      this.#since = this.#presentSince
      this.#presentSince = now
    }
    for (const merchantId of present.merchants()) yield [merchantId, (present.of(merchantId) + before.of(merchantId)) / seconds]
    for (const merchantId of before.merchants()) if (present.of(merchantId) === 0) yield [merchantId, before.of(merchantId) / seconds]
  }
}
