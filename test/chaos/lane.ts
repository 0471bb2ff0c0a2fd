/** `published`: it was acknowledged, so that each client is to get it or to be told. `unknown`: clients may get it or not. */
export type Outcome = 'pending' | 'published' | 'unknown'

/** What one publisher has published for one merchant: events numbered from 0, in order. */
export class Lane {
  readonly publisher: string
  readonly merchantId: string
  /**
   * Whether an event of unknown outcome may still be on its way when later ones are published, so that these may overtake
   * it. An acknowledged one never is.
   */
  readonly overtakes: boolean
  readonly #times: number[] = []
  readonly #outcomes: Outcome[] = []

  constructor (publisher: string, merchantId: string, overtakes: boolean) {
    this.publisher = publisher
    this.merchantId = merchantId
    this.overtakes = overtakes
  }

  /** The number of the event to come. */
  get next (): number {
    return this.#times.length
  }

  /** The next event is about to be published, or the last one to be published once more, not having been before. */
  announce (number: number): { readonly publisher: string, readonly number: number, readonly timestamp: number } {
    const timestamp = Date.now()
    this.#times[number] = timestamp
    this.#outcomes[number] = 'pending'
    return { publisher: this.publisher, number, timestamp }
  }

  settle (number: number, outcome: Outcome): void {
    this.#outcomes[number] = outcome
  }

  /** When it was about to be published, in Unix milliseconds. */
  timeOf (number: number): number {
    return this.#times[number]!
  }

  /** `undefined` of what was never published. */
  outcomeOf (number: number): Outcome | undefined {
    return this.#outcomes[number]
  }
}
