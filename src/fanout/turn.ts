import { topicLabel, type Message } from '../message.js'
import type { Metrics } from '../metrics.js'
import { Batch, type Share } from './batch.js'
import type { Registry } from './registry.js'

/** Publishers' timestamps that are further off tell of another clock or unit, not of latency; in seconds. */
const MAX_SANE_LATENCY_S = 600

/**
 * What one turn of the event loop brings, until it is over: then it is encoded once per merchant, and written once per
 * connection.
 */
export class Turn {
  readonly #registry: Registry
  readonly #metrics: Metrics
  readonly #pending = new Map<string, Batch>()
  #over = true

  constructor (registry: Registry, metrics: Metrics) {
    this.#registry = registry
    this.#metrics = metrics
  }

  add (message: Message, id: string | undefined): void {
    let batch = this.#pending.get(message.merchantId)
    if (batch === undefined) this.#pending.set(message.merchantId, batch = new Batch())
    batch.add(message, id)
    if (!this.#over) return
    this.#over = false
    setImmediate(() => { this.flush() })
  }

  /** Delivers everything now. */
  flush (): void {
    this.#over = true
    if (this.#pending.size === 0) return
    const startedAt = performance.now()
    for (const merchantId of this.#pending.keys()) this.settle(merchantId)
    this.#metrics.flushed((performance.now() - startedAt) / 1_000)
  }

  /** Delivers now what there is for one merchant, so that something else may follow it. */
  settle (merchantId: string): void {
    const batch = this.#pending.get(merchantId)
    if (batch === undefined) return
    this.#pending.delete(merchantId)
    let whole: Share | undefined
    for (const connection of this.#registry.connectionsOf(merchantId) ?? []) {
      const share = connection.filter === undefined ? (whole ??= batch.share(undefined)) : batch.share(connection.filter)
      if (share.frames.length > 0 && connection.deliver(share)) share.recipients++
    }
    for (const share of batch.shares) {
      if (share.recipients > 0) this.#metrics.bytesSent(share.bytes.length * share.recipients)
    }
    const now = Date.now()
    for (const { message } of batch.frames) {
      this.#metrics.fannedOut(topicLabel(message.topic), batch.recipientsOf(message), latencyOf(message, now))
    }
  }
}

/** From the publisher's timestamp to now, in seconds; `undefined` where there is none to be believed. */
function latencyOf ({ timestamp }: Message, now: number): number | undefined {
  if (timestamp === undefined) return undefined
  const seconds = (now - timestamp) / 1_000
  return seconds >= 0 && seconds <= MAX_SANE_LATENCY_S ? seconds : undefined
}
