import { PublishError } from './errors.js'
import type { Outgoing } from './outgoing.js'
import { Away, type Transport } from './transport.js'

const FIRST_BACK_OFF_MS = 50
const MAX_BACK_OFF_MS = 5_000

export interface OutboxLimits {
  /** An outage is bridged for so long: what is published in it waits, and is sent when it ends. */
  readonly bridgeMs: number
  /** An attempt to send gets so long. */
  readonly timeoutMs: number
  readonly maxEvents: number
  /** Of payloads, in UTF-16 code units. */
  readonly maxLength: number
}

interface Entry {
  readonly outgoing: Outgoing
  readonly settle: (error: PublishError | undefined) => void
}

/**
 * What is to be sent, in order, within bounds. What is published while a batch is under way makes the next one. When the
 * transport is away, it is tried again with back-off and nothing is lost for `bridgeMs`; then all that waits fails, and
 * what comes fails at once, so that nobody waits for an outage more than once, until an attempt succeeds: one is made for
 * an event that comes after the back-off.
 */
export class Outbox {
  readonly #transport: Transport
  readonly #limits: OutboxLimits
  #waiting: Entry[] = []
  #length = 0
  readonly #unsettled = new Set<Promise<unknown>>()
  #pumping = false
  #awaySince: number | undefined
  #attempts = 0
  /** With `#awaySince`: since the bridge has ended, what comes before this fails with the error at once. */
  #shut: { readonly until: number, readonly error: PublishError } | undefined
  #closed = false

  constructor (transport: Transport, limits: OutboxLimits) {
    this.#transport = transport
    this.#limits = limits
  }

  /** How many events wait, without those under way. */
  get waiting (): number {
    return this.#waiting.length
  }

  /** Resolves when the fate of the event is known: `undefined` if it was sent. */
  add (outgoing: Outgoing): Promise<PublishError | undefined> {
    if (this.#closed) return Promise.resolve(new PublishError('RTF_PUBLISHER_CLOSED', 'the publisher is closed'))
    if (this.#shut !== undefined && performance.now() < this.#shut.until) return Promise.resolve(this.#shut.error)
    const { promise, settle } = latch()
    this.#unsettled.add(promise)
    this.#waiting.push({ outgoing, settle })
    this.#length += outgoing.payload.length
    while (this.#waiting.length > this.#limits.maxEvents || this.#length > this.#limits.maxLength) {
      this.#take(1)[0]!.settle(new PublishError('RTF_BUFFER_FULL', 'more was published than could be sent, and this event was the oldest of it'))
    }
    void promise.then(() => this.#unsettled.delete(promise))
    if (!this.#pumping) void this.#pump()
    return promise
  }

  /** Resolves when the fate of all that was added before is known. */
  async flush (): Promise<void> {
    await Promise.all(this.#unsettled)
  }

  /** Takes nothing more; resolves when the fate of all that was added is known. */
  async close (): Promise<void> {
    this.#closed = true
    await this.flush()
    this.#transport.close()
  }

  async #pump (): Promise<void> {
    this.#pumping = true
    await Promise.resolve() // All that is published in one turn goes in one batch.
    while (this.#waiting.length > 0) {
      const batch = this.#take(this.#transport.maxBatch)
      const outcomes = await this.#transport.send(batch.map(({ outgoing }) => outgoing), this.#limits.timeoutMs)
      let away: Away | undefined
      const again: Entry[] = []
      for (const [i, entry] of batch.entries()) {
        const outcome = outcomes[i]
        if (outcome instanceof Away) {
          away = outcome
          again.push(entry)
        } else {
          entry.settle(outcome)
        }
      }
      if (away === undefined) this.#present()
      else await this.#absent(again, away)
    }
    this.#pumping = false
  }

  #present (): void {
    this.#awaySince = undefined
    this.#shut = undefined
    this.#attempts = 0
  }

  async #absent (again: readonly Entry[], away: Away): Promise<void> {
    this.#waiting.unshift(...again)
    for (const { outgoing } of again) this.#length += outgoing.payload.length
    const now = performance.now()
    this.#awaySince ??= now
    const pauseMs = Math.max(away.retryAfterMs, Math.min(FIRST_BACK_OFF_MS * 2 ** this.#attempts++, MAX_BACK_OFF_MS))
    const remainingMs = this.#awaySince + this.#limits.bridgeMs - now
    // What would have to wait for longer than the bridge is not tried before its time either.
    if (remainingMs > 0 && away.retryAfterMs < remainingMs) {
      await new Promise((resolve) => { setTimeout(resolve, Math.min(pauseMs, remainingMs)) })
      return
    }
    const error = new PublishError('RTF_BROKER_AWAY', `not sent, for ${away.message}`, { cause: away })
    this.#shut = { until: now + pauseMs, error }
    for (const { settle } of this.#take(this.#waiting.length)) settle(error)
  }

  #take (count: number): Entry[] {
    const taken = this.#waiting.splice(0, count)
    for (const { outgoing } of taken) this.#length -= outgoing.payload.length
    return taken
  }
}

function latch (): { promise: Promise<PublishError | undefined>, settle: (error: PublishError | undefined) => void } {
  let settle: (error: PublishError | undefined) => void
  const promise = new Promise<PublishError | undefined>((resolve) => { settle = resolve })
  return { promise, settle: settle! }
}
