import type { Connection } from './connection.js'

export interface RegistryLimits {
  readonly maxConnections: number
  readonly maxConnectionsPerMerchant: number
}

/** Why there is no room; both are told to a client as `over_capacity`. */
export type NoRoom = 'over_capacity' | 'merchant_over_capacity'

/** Which connections a merchant has. Every operation takes constant time. */
export class Registry {
  readonly #byMerchant = new Map<string, Set<Connection>>()
  readonly #limits: RegistryLimits
  #size = 0

  constructor (limits: RegistryLimits) {
    this.#limits = limits
  }

  /** Open connections. */
  get size (): number {
    return this.#size
  }

  /** Merchants with at least one connection. */
  get merchants (): number {
    return this.#byMerchant.size
  }

  /** Why one more connection of this merchant, or of any, would be too many; `undefined` if it would not. */
  noRoomFor (merchantId?: string): NoRoom | undefined {
    if (this.#size >= this.#limits.maxConnections) return 'over_capacity'
    if (merchantId === undefined) return undefined
    const own = this.#byMerchant.get(merchantId)?.size ?? 0
    return own >= this.#limits.maxConnectionsPerMerchant ? 'merchant_over_capacity' : undefined
  }

  /** To be called once per connection, whatever {@link Registry.noRoomFor} said. */
  add (connection: Connection): void {
    const own = this.#byMerchant.get(connection.merchantId)
    if (own === undefined) this.#byMerchant.set(connection.merchantId, new Set([connection]))
    else own.add(connection)
    this.#size++
  }

  /** To be called once for each that was added. */
  delete (connection: Connection): void {
    const own = this.#byMerchant.get(connection.merchantId)!
    own.delete(connection)
    if (own.size === 0) this.#byMerchant.delete(connection.merchantId)
    this.#size--
  }

  connectionsOf (merchantId: string): ReadonlySet<Connection> | undefined {
    return this.#byMerchant.get(merchantId)
  }

  /** How many connections each merchant has that has any. */
  * audiences (): Generator<readonly [merchantId: string, connections: number]> {
    for (const [merchantId, { size }] of this.#byMerchant) yield [merchantId, size]
  }

  * [Symbol.iterator] (): Generator<Connection> {
    for (const own of this.#byMerchant.values()) yield * own
  }
}
