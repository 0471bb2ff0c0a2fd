import type { Connection } from './connection.js'
import type { Ahead } from './resume.js'

/** A client that is delivered nothing yet. */
export interface Waiter {
  readonly connection: Connection
  readonly ahead: Ahead
  /** What arrived since then it has not been sent, in Unix milliseconds. */
  readonly sinceMs: number
  /** @internal */
  timer?: NodeJS.Timeout
}

/**
 * Clients that know an event which this instance has yet to receive (DESIGN §3, "behind"): they came faster than Redis
 * did. Few, and none for long.
 */
export class Waiting {
  readonly #byMerchant = new Map<string, Set<Waiter>>()
  readonly #inVain: (waiter: Waiter) => void

  /** @param inVain told of each whose event has not come in time; it waits no longer. */
  constructor (inVain: (waiter: Waiter) => void) {
    this.#inVain = inVain
  }

  add (waiter: Waiter): void {
    const { connection: { merchantId }, ahead, sinceMs } = waiter
    const own = this.#byMerchant.get(merchantId)
    if (own === undefined) this.#byMerchant.set(merchantId, new Set([waiter]))
    else own.add(waiter)
    waiter.timer = setTimeout(() => {
      this.#remove(waiter)
      this.#inVain(waiter)
    }, ahead.until - sinceMs)
  }

  /** Those whose event this is; they wait no longer. */
  metBy (merchantId: string, digest: string): Waiter[] {
    const own = this.#byMerchant.get(merchantId)
    if (own === undefined) return []
    const met = [...own].filter(({ ahead }) => ahead.awaits === digest)
    for (const waiter of met) this.#remove(waiter)
    return met
  }

  of (connection: Connection): Waiter | undefined {
    for (const waiter of this.#byMerchant.get(connection.merchantId) ?? []) {
      if (waiter.connection === connection) return waiter
    }
    return undefined
  }

  /** Has a client wait no longer, and says whether it did. */
  delete (connection: Connection): boolean {
    const waiter = this.of(connection)
    if (waiter !== undefined) this.#remove(waiter)
    return waiter !== undefined
  }

  #remove (waiter: Waiter): void {
    clearTimeout(waiter.timer)
    const { merchantId } = waiter.connection
    const own = this.#byMerchant.get(merchantId)!
    own.delete(waiter)
    if (own.size === 0) this.#byMerchant.delete(merchantId)
  }
}
