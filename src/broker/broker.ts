/** One message for one channel; the payload is UTF-8 text. */
export interface Publication {
  readonly channel: string
  readonly payload: string
}

/** Whether everything published is being received; `since` is on the monotonic clock, in milliseconds. */
export type Subscription =
  | { readonly state: 'standing', readonly since: number }
  /** `since` is when it was lost, or when the broker was started; `first`: none has ever stood; `stoodMs`: for how long the last one did. */
  | { readonly state: 'absent', readonly since: number, readonly first: boolean, readonly stoodMs: number }

/** Who is told what comes in. Must not throw. */
export interface Receiver {
  /** Takes what was published, in the order of publishing, one call each. */
  receive (channel: string, payload: Buffer): void
  /**
   * The subscription stands, anew or for the first time: all that is published from `sinceAt` on is received, from the next
   * call of {@link Receiver.receive} on. What was published after `lostAt` and before that may be missing. Both on the
   * monotonic clock, in milliseconds.
   */
  subscribed (lostAt: number, sinceAt: number): void
}

/**
 * Where messages come from. Channels are `<prefix>:<merchantId>:<topic>`; of others nothing is said. It also keeps what
 * all instances must agree to use once.
 * Implementations: Redis, and one inside the process for development. One suite of tests runs over both.
 */
export interface Broker {
  /** What it is, for the log. */
  readonly name: string
  readonly subscription: Subscription
  /**
   * Until when it is proven that all that was published has been received, since it was subscribed last; on the monotonic
   * clock, in milliseconds. It stands still while the subscription is in doubt.
   */
  readonly provenAt: number

  /**
   * Begins to receive, and keeps at it until {@link Broker.close}: a broker that is away is waited for, and
   * {@link Broker.subscription} tells. Called once.
   */
  start (receiver: Receiver): void

  /**
   * Publishes in order, to every subscriber of every instance, this one included; never from within this call.
   * @throws {BrokerUnavailable} (rejects) where the broker did not take all of them; some may have been taken.
   */
  publish (publications: readonly Publication[]): Promise<void>

  /**
   * Keeps a value for a while, for {@link Broker.take} on whichever instance.
   * @param key without the service's prefix, which the broker adds.
   * @param ttlMs whole milliseconds, at least 1.
   * @throws {BrokerUnavailable} (rejects) where it may not have been kept.
   */
  put (key: string, value: string, ttlMs: number): Promise<void>

  /**
   * Gives a value out and forgets it: of all that ask, on all instances, one gets it. `undefined` where there is none,
   * or none any more.
   * @throws {BrokerUnavailable} (rejects) where that cannot be told; the value may be gone.
   */
  take (key: string): Promise<string | undefined>

  /** Ends; nothing is received any more, and nothing kept. */
  close (): Promise<void>
}

/** The broker cannot be reached, or refuses; the same call may succeed later. */
export class BrokerUnavailable extends Error {
  override name = 'BrokerUnavailable'
}
