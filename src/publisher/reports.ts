/** Sums over reports, which weigh less the more progress was made since. */
export class Reports {
  readonly #memory: number
  /** Of the progress that each brought, the milliseconds that passed before it, and the products of both. */
  gained = 0
  gaps = 0
  gapsSquared = 0
  #gainedSquared = 0
  #products = 0

  /** @param memory so much progress later, a report weighs 1/e. */
  constructor (memory: number) {
    this.#memory = memory
  }

  /** How many milliseconds the whole stage takes. */
  get pace (): number {
    return this.gaps / this.gained
  }

  /** How much progress the report brings that a random moment waits for. */
  get typicalGain (): number {
    return this.gained * this.gapsSquared / this.gaps ** 2
  }

  /** The variance, in relation to the pace, of the pace of progress that is measured; of so much progress, as many times less. */
  get variance (): number {
    const { pace } = this
    const deviations = this.gapsSquared - 2 * pace * this.#products + pace ** 2 * this.#gainedSquared
    return Math.max(0, deviations) * this.gained / this.gaps ** 2 // By rounding, less than 0.
  }

  add (gained: number, gap: number): void {
    const kept = Math.exp(-gained / this.#memory)
    const weight = this.#memory * (1 - kept) / gained // The mean over the progress just made, of which the first lies back already.
    this.gained = this.gained * kept + weight * gained
    this.gaps = this.gaps * kept + weight * gap
    this.gapsSquared = this.gapsSquared * kept + weight * gap ** 2
    this.#gainedSquared = this.#gainedSquared * kept + weight * gained ** 2
    this.#products = this.#products * kept + weight * gained * gap
  }
}
