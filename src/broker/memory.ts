import { BrokerUnavailable, type Broker, type Publication, type Receive, type Subscription } from './broker.js'

/** A broker inside the process: what is published here is received here, and nowhere else. For development. */
export class MemoryBroker implements Broker {
  readonly name = 'memory'
  #subscription: Subscription = { state: 'absent', since: performance.now(), first: true }
  #receive: Receive | undefined

  get subscription (): Subscription {
    return this.#subscription
  }

  start (receive: Receive): void {
    this.#receive = receive
    this.#subscription = { state: 'standing', since: performance.now() }
  }

  async publish (publications: readonly Publication[]): Promise<void> {
    if (this.#receive === undefined) throw new BrokerUnavailable('the broker is closed or was not started')
    // Messages arrive in a turn of their own, as they do from a network.
    setImmediate(() => {
      for (const { channel, payload } of publications) this.#receive?.(channel, Buffer.from(payload))
    })
  }

  async close (): Promise<void> {
    this.#receive = undefined
    this.#subscription = { state: 'absent', since: performance.now(), first: false }
  }
}
