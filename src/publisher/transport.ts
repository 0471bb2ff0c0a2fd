import type { PublishError } from './errors.js'
import type { Outgoing } from './outgoing.js'

/** That an event could not be sent now, and may be later: it may even have been sent, if the answer got lost. */
export class Away extends Error {
  override readonly name = 'Away'
  /** It is of no use to try again before; in milliseconds. */
  readonly retryAfterMs: number

  constructor (message: string, { retryAfterMs = 0, ...options }: ErrorOptions & { retryAfterMs?: number } = {}) {
    super(message, options)
    this.retryAfterMs = retryAfterMs
  }
}

/** `undefined` for an event that was sent, a {@link PublishError} for one that never will be. */
export type Outcome = undefined | PublishError | Away

/** A way to the service. The outbox gives it one batch after the other, and waits for each no longer than it likes. */
export interface Transport {
  /** How many events it takes at once. */
  readonly maxBatch: number
  /**
   * Sends them, those of one merchant in their order.
   * @param signal aborts when the outbox waits no longer: what has no outcome by then counts as away.
   * @returns one outcome for each; a promise that rejects counts as away.
   */
  send (batch: readonly Outgoing[], signal: AbortSignal): ReadonlyArray<Promise<Outcome>>
  /** Nothing is waited for any more. */
  close (): void
}
