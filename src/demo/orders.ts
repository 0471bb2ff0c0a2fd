import { setMaxListeners } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { MemoryDurations, MerchantPublisher, type PublishError } from '../publisher/index.js'
import { planOrder, runOrder } from './order.js'
import { Random } from './random.js'

export interface OrdersOptions {
  /** Publishes one payload; rejects where it could not. */
  readonly publish: (channel: string, payload: string) => Promise<unknown>
  readonly channelPrefix: string
  readonly maxMessageBytes: number
  /** Told of what was not published. */
  readonly onError: (error: PublishError) => void
}

/** What the demo page asks for. */
export interface WantedOrders {
  readonly merchantId: string
  readonly count: number
  /** Whether something goes wrong on their way. */
  readonly fail: boolean
  /** How much faster than usual they are. */
  readonly speed: number
}

/** So many are under way at a time. */
const MOST_AT_A_TIME = 25
/** When it ends, a broker that is away is waited for no longer, in milliseconds. */
const BRIDGE_MS = 1_000

/** The simulated orders that the demo page starts, published by the publisher library as those of a backend service would be. */
export class SimulatedOrders {
  readonly #publisher: MerchantPublisher
  readonly #durations = new MemoryDurations()
  readonly #random = new Random(Date.now())
  readonly #ending = new AbortController()
  readonly #running = new Set<Promise<unknown>>()
  /** That of a service that is started anew goes on somewhere else, or pages would take its orders for those that they know. */
  #number = 10_000 + Math.floor(Date.now() / 1_000) % 90_000

  constructor ({ publish, channelPrefix, maxMessageBytes, onError }: OrdersOptions) {
    this.#publisher = new MerchantPublisher({ redis: { status: 'ready', publish }, channelPrefix, maxMessageBytes, bridgeMs: BRIDGE_MS, onError })
    setMaxListeners(0, this.#ending.signal) // Each order is one.
  }

  /** @returns their `poId`s; `undefined` where that would be too many at a time, or it is closed, and none is started. */
  start ({ merchantId, count, fail, speed }: WantedOrders): string[] | undefined {
    if (this.#ending.signal.aborted || this.#running.size + count > MOST_AT_A_TIME) return undefined
    return Array.from({ length: count }, () => {
      const poId = `PO-${this.#number++}`
      const order = runOrder(planOrder(poId, this.#random, fail ? 1 : 0), {
        publisher: this.#publisher,
        merchantId,
        durations: this.#durations,
        pause: async (ms) => { await pause(ms / speed, undefined, { signal: this.#ending.signal }) },
      }).catch(() => { /* It was stopped, of which its merchant has been told. */ }).finally(() => { this.#running.delete(order) })
      this.#running.add(order)
      return poId
    })
  }

  /** Stops those that are under way; resolves when their merchants have been told. */
  async close (): Promise<void> {
    this.#ending.abort()
    await Promise.all(this.#running)
    await this.#publisher.close()
  }
}
