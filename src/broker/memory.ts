import { BrokerUnavailable, type Broker, type Publication, type Receiver, type Subscription } from './broker.js'

/** So many values are kept at a time; those that have expired make room first. */
const MAX_KEPT = 10_000

interface Kept {
  readonly value: string
  /** On the monotonic clock, in milliseconds. */
  readonly expiresAt: number
}

/** A broker inside the process: what is published here is received here, and nowhere else. For development. */
export class MemoryBroker implements Broker {
  readonly name = 'memory'
  #subscription: Subscription = { state: 'absent', since: performance.now(), first: true, stoodMs: 0 }
  #receiver: Receiver | undefined
  readonly #kept = new Map<string, Kept>()

  get subscription (): Subscription {
    return this.#subscription
  }

  get provenAt (): number {
    return performance.now()
  }

  start (receiver: Receiver): void {
    this.#receiver = receiver
    this.#subscription = { state: 'standing', since: performance.now() }
    receiver.subscribed(this.#subscription.since, this.#subscription.since)
  }

  async publish (publications: readonly Publication[]): Promise<void> {
    this.#checkOpen()
    // Messages arrive in a turn of their own, as they do from a network.
    setImmediate(() => {
      for (const { channel, payload } of publications) this.#receiver?.receive(channel, Buffer.from(payload))
    })
  }

  async put (key: string, value: string, ttlMs: number): Promise<void> {
    this.#checkOpen()
    if (this.#kept.size >= MAX_KEPT) this.#sweep()
    if (this.#kept.size >= MAX_KEPT) throw new BrokerUnavailable('the broker keeps as many values as it can')
    this.#kept.set(key, { value, expiresAt: performance.now() + ttlMs })
  }

  async take (key: string): Promise<string | undefined> {
    this.#checkOpen()
    const kept = this.#kept.get(key)
    this.#kept.delete(key)
    return kept !== undefined && performance.now() < kept.expiresAt ? kept.value : undefined
  }

  async close (): Promise<void> {
    this.#receiver = undefined
    this.#kept.clear()
    this.#subscription = { state: 'absent', since: performance.now(), first: false, stoodMs: 0 }
  }

  #checkOpen (): void {
    if (this.#receiver === undefined) throw new BrokerUnavailable('the broker is closed or was not started')
  }

  #sweep (): void {
    const now = performance.now()
    for (const [key, { expiresAt }] of this.#kept) {
      if (expiresAt <= now) this.#kept.delete(key)
    }
  }
}
