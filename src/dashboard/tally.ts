/** So many merchants are told apart; of one more, a megabyte would be more. */
const CAPACITY = 10_000

/**
 * How many messages each merchant had, in bounded memory whatever is published (Misra and Gries, 1982): exact for as many
 * merchants as it has room for. Beyond, each may have had more than it says by one ten-thousandth of all messages, so that
 * those that matter are in it.
 */
export class Tally {
  readonly #counts = new Map<string, { messages: number }>()

  /** Takes constant time, in the mean. */
  add (merchantId: string): void {
    const own = this.#counts.get(merchantId)
    if (own !== undefined) own.messages++
    else if (this.#counts.size < CAPACITY) this.#counts.set(merchantId, { messages: 1 })
    else this.#makeRoom()
  }

  of (merchantId: string): number {
    return this.#counts.get(merchantId)?.messages ?? 0
  }

  merchants (): Iterable<string> {
    return this.#counts.keys()
  }

  #makeRoom (): void {
    for (const [merchantId, own] of this.#counts) if (--own.messages === 0) this.#counts.delete(merchantId)
  }
}
