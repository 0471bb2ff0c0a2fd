/** What is added by the first attempt that failed is less than this, in milliseconds; it doubles with each further one. */
const BASE_MS = 1_000
const CAP_MS = 30_000
/** Who asks for a longer wait is not believed, in milliseconds; nor does a timer take whatever there is. */
const MAX_ASKED_MS = 3_600_000

/** How long to wait before the next attempt: never less than the service asks for, and ever longer while it cannot be had. */
export class Backoff {
  readonly #random: () => number
  #failures = 0
  #retryMs: number | undefined

  /** @param random 0–1. */
  constructor (random: () => number = Math.random) {
    this.#random = random
  }

  /** There was a stream: what failed before it is forgotten. */
  reset (): void {
    this.#failures = 0
  }

  /** `retry:` of the stream, which the service gives each client a different one of; heeded until the next. */
  retry (ms: number): void {
    this.#retryMs = ms
  }

  /**
   * The wait before the next attempt, in milliseconds: what the service asked for, and full jitter on top of it. A stream
   * that was open and ended is the one case without jitter, as `retry:` has been spread by the service.
   * @param failed whether the attempt that is over led to no stream.
   * @param retryAfterMs what the refusal asked for: the same for all who were refused.
   */
  next (failed: boolean, retryAfterMs = 0): number {
    const asked = Math.min(Math.max(this.#retryMs ?? 0, retryAfterMs), MAX_ASKED_MS)
    if (!failed && this.#retryMs !== undefined) return asked
    return asked + this.#random() * Math.min(CAP_MS, BASE_MS * 2 ** this.#failures++)
  }
}
