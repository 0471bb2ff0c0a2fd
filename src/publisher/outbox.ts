import { PublishError } from './errors.js'
import type { Outgoing } from './outgoing.js'
import { Away, type Outcome, type Transport } from './transport.js'

const FIRST_BACK_OFF_MS = 50
const MAX_BACK_OFF_MS = 5_000
/** An attempt gets no less, or the last one of a bridge would always be in vain. */
const LEAST_TIMEOUT_MS = 500

export interface OutboxLimits {
  /** An outage is bridged for so long: what is published in it waits, and is sent when it ends. */
  readonly bridgeMs: number
  /** An attempt to send gets so long. */
  readonly timeoutMs: number
  /** What waits, without what is under way. */
  readonly maxEvents: number
  readonly maxBytes: number
}

interface Entry {
  readonly event: Outgoing
  readonly settle: (error: PublishError | undefined) => void
  /** When it was first tried in vain. */
  awaySince?: number
}

/**
 * What is to be sent, in order, within bounds: beyond them, the oldest progress is given up, or else the oldest event. What
 * is published while a batch is under way makes the next one. While nothing can be sent, it is tried again with back-off,
 * and nothing is lost for `bridgeMs`; then all that waits fails, and what comes fails at once, so that nobody waits for an
 * outage more than once, until an attempt succeeds: one is made for an event that comes after the back-off.
 */
export class Outbox {
  readonly #transport: Transport
  readonly #limits: OutboxLimits
  readonly #waiting: Entry[] = []
  #bytes = 0
  readonly #unsettled = new Set<Promise<unknown>>()
  #pumping = false
  /** When the first attempt began since which none has brought anything. */
  #awaySince: number | undefined
  #attempts = 0
  /** Since the bridge has ended, what comes before this fails at once. */
  #shut: { readonly until: number, readonly away: Away } | undefined
  #closed = false

  constructor (transport: Transport, limits: OutboxLimits) {
    this.#transport = transport
    this.#limits = limits
  }

  /** How many events have no fate yet. */
  get unsettled (): number {
    return this.#unsettled.size
  }

  /** Resolves when the fate of the event is known: `undefined` if it was sent. */
  add (event: Outgoing): Promise<PublishError | undefined> {
    if (this.#closed) return Promise.resolve(new PublishError('RTF_PUBLISHER_CLOSED', 'the publisher is closed'))
    if (this.#shut !== undefined && performance.now() < this.#shut.until) return Promise.resolve(givenUp(this.#shut.away))
    const promise = new Promise<PublishError | undefined>((resolve) => { this.#waiting.push({ event, settle: resolve }) })
    this.#unsettled.add(promise)
    void promise.then(() => this.#unsettled.delete(promise))
    this.#bytes += event.bytes
    while (this.#waiting.length > this.#limits.maxEvents || this.#bytes > this.#limits.maxBytes) this.#giveUpOne()
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
    while (this.#waiting.length > 0) await this.#attempt()
    this.#pumping = false
  }

  async #attempt (): Promise<void> {
    const startedAt = performance.now()
    const batch = this.#take(this.#transport.maxBatch)
    // In an outage that is bridged, an attempt gets no longer than what is left of it.
    const leftMs = this.#awaySince === undefined || this.#shut !== undefined ? Infinity : this.#awaySince + this.#limits.bridgeMs - startedAt
    const outcomes = await this.#outcomes(batch, Math.min(this.#limits.timeoutMs, Math.max(leftMs, LEAST_TIMEOUT_MS)))
    const again: Entry[] = []
    let away: Away | undefined
    for (const [i, entry] of batch.entries()) {
      const outcome = outcomes[i]
      if (outcome instanceof Away) {
        entry.awaySince ??= startedAt
        again.push(entry)
        if (away === undefined || outcome.retryAfterMs > away.retryAfterMs) away = outcome
      } else {
        entry.settle(outcome)
      }
    }
    if (away === undefined) this.#attempts = 0
    if (again.length < batch.length) {
      this.#awaySince = undefined
      this.#shut = undefined
      if (away !== undefined) await this.#bridgeSome(again, away)
    } else {
      this.#awaySince ??= startedAt
      await this.#bridge(again, away!, this.#awaySince)
    }
  }

  /** Nothing came through. */
  async #bridge (again: readonly Entry[], away: Away, since: number): Promise<void> {
    const pauseMs = this.#pauseFor(away)
    this.#putBack(again)
    if (!this.#isHopeless(since, away)) return this.#rest(pauseMs, since)
    this.#shut = { until: performance.now() + pauseMs, away }
    for (const { settle } of this.#take(this.#waiting.length)) settle(givenUp(away))
  }

  /** Others came through: it is an outage of these alone, and each has its own. */
  async #bridgeSome (again: readonly Entry[], away: Away): Promise<void> {
    const hopeful = again.filter(({ awaySince }) => !this.#isHopeless(awaySince!, away))
    for (const entry of again) if (!hopeful.includes(entry)) entry.settle(givenUp(away))
    this.#putBack(hopeful)
    const [oldest] = hopeful
    if (oldest !== undefined) await this.#rest(this.#pauseFor(away), oldest.awaySince!)
  }

  /** Whether the next attempt would come too late, or the last one did. */
  #isHopeless (since: number, { retryAfterMs }: Away): boolean {
    return performance.now() + retryAfterMs >= since + this.#limits.bridgeMs
  }

  #pauseFor ({ retryAfterMs }: Away): number {
    return Math.max(retryAfterMs, Math.min(FIRST_BACK_OFF_MS * 2 ** this.#attempts++, MAX_BACK_OFF_MS))
  }

  /** Until the next attempt, or the end of the bridge. */
  async #rest (pauseMs: number, since: number): Promise<void> {
    const leftMs = since + this.#limits.bridgeMs - performance.now()
    await new Promise((resolve) => { setTimeout(resolve, Math.min(pauseMs, leftMs)) })
  }

  /** What has no outcome in time is away; so is what the transport fails for. */
  async #outcomes (batch: readonly Entry[], timeoutMs: number): Promise<Outcome[]> {
    const controller = new AbortController()
    let timer: NodeJS.Timeout
    const late = new Promise<Away>((resolve) => {
      timer = setTimeout(() => {
        resolve(new Away(`there was no answer within ${Math.round(timeoutMs)} ms`))
        controller.abort()
      }, timeoutMs)
    })
    const replies = this.#transport.send(batch.map(({ event }) => event), controller.signal)
    const outcomes = await Promise.all(replies.map(async (reply) => Promise.race([reply.catch(failed), late])))
    clearTimeout(timer!)
    return outcomes
  }

  #putBack (entries: readonly Entry[]): void {
    this.#waiting.unshift(...entries)
    for (const { event } of entries) this.#bytes += event.bytes
  }

  #take (count: number, from = 0): Entry[] {
    const taken = this.#waiting.splice(from, count)
    for (const { event } of taken) this.#bytes -= event.bytes
    return taken
  }

  #giveUpOne (): void {
    const progress = this.#waiting.findIndex(({ event }) => event.topic === 'progress')
    const [given] = this.#take(1, Math.max(progress, 0))
    given!.settle(new PublishError('RTF_BUFFER_FULL', 'more was published than could be sent, and this event was the first to be given up'))
  }
}

/* c8 ignore next 3 -- @preserve No transport is known to reject, but a publisher that hung for it would hang for ever. */
function failed (error: unknown): Away {
  return new Away(`the attempt failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}

function givenUp (away: Away): PublishError {
  return new PublishError('RTF_BROKER_AWAY', `not sent: ${away.message}`, { cause: away })
}
