import type { Metrics } from '../metrics.js'
import type { Connection } from './connection.js'
import * as frame from './frame.js'
import type { Entry, History } from './history.js'
import type { Registry } from './registry.js'
import { checkpoint, resume, type Beginning, type Gap } from './resume.js'
import type { Turn } from './turn.js'
import { Waiting, type Waiter } from './waiting.js'

export interface CatchUpOptions {
  readonly retryMs: number
  /** Until when all that was published has been received, in Unix milliseconds. */
  readonly caughtUpMs: () => number
  /** The clock of this instance, in Unix milliseconds. */
  readonly now: () => number
  readonly metrics: Metrics
}

/** A clock that runs away from the monotonic one by more, in milliseconds, was set. */
const CLOCK_STEP_MS = 1_000

/** Brings clients to where the stream is: by what they have missed, or by telling them that something may be missing. */
export class CatchUp {
  readonly #history: History
  readonly #registry: Registry
  readonly #turn: Turn
  readonly #options: CatchUpOptions
  readonly #metrics: Metrics
  #clockOffset: number
  readonly #waiting = new Waiting((waiter) => { this.#waitedInVain(waiter) })

  constructor (history: History, registry: Registry, turn: Turn, options: CatchUpOptions) {
    this.#history = history
    this.#registry = registry
    this.#turn = turn
    this.#options = options
    this.#metrics = options.metrics
    this.#clockOffset = this.#offset()
  }

  /** Greets a client and sends it what it has missed. What is pending for its merchant has been delivered to the others. */
  begin (connection: Connection, beginning: Beginning): void {
    const { merchantId } = connection
    this.#heedClock()
    const now = this.#options.now()
    this.#history.expire(now)
    const resumption = resume(this.#history, beginning, now, this.#options.caughtUpMs())
    connection.tell([new frame.ControlFrame(frame.retry(frame.jittered(this.#options.retryMs)) + frame.connected(resumption.at, merchantId, now))])
    if (resumption.outcome === 'behind') {
      connection.hold()
      this.#waiting.add({ connection, ahead: resumption, sinceMs: now })
      return
    }
    this.#metrics.resumed(resumption.outcome)
    if (resumption.outcome === 'gap') this.#tellOf(resumption.gap, connection)
    this.#replay(resumption.missed, connection)
  }

  /** An event came, and is pending: some clients may have waited for it, and what follows it is for them. */
  met (merchantId: string, digest: string): void {
    const met = this.#waiting.metBy(merchantId, digest)
    if (met.length === 0) return
    this.#turn.settle(merchantId)
    for (const { connection } of met) {
      connection.release()
      this.#metrics.resumed('behind')
    }
  }

  /** The history begins anew, and everybody is told why. What was pending has been delivered. */
  subscribed (lostMs: number, sinceMs: number): void {
    // Before the first subscription there was nothing that could be lost, or resumed.
    this.#history.start(sinceMs, this.#history.startedAt === Infinity ? 'unknown_cursor' : 'redis_outage')
    this.#clockOffset = this.#offset()
    const to = this.#options.now()
    for (const connection of this.#registry) {
      const waiter = this.#waiting.delete(connection)
      if (waiter !== undefined) {
        connection.release()
        this.#metrics.resumed('gap')
      }
      this.#tellOf({ reason: 'redis_outage', from: Math.min(lostMs, waiter?.ahead.from ?? lostMs), to }, connection)
    }
  }

  /** The cursor of a client that has been sent, or is owed, all that has arrived. */
  checkpoint (merchantId: string): string {
    return checkpoint(this.#history, merchantId, this.#options.caughtUpMs())
  }

  /** A connection is closed. */
  forget (connection: Connection): void {
    this.#waiting.delete(connection)
  }

  /** Times from before a clock was set say nothing of those after it: no event is to be found by them, and none to be proven absent. */
  #heedClock (): void {
    const offset = this.#offset()
    if (Math.abs(offset - this.#clockOffset) < CLOCK_STEP_MS) return
    this.#clockOffset = offset
    if (this.#history.startedAt < Infinity) this.#history.start(this.#options.now(), 'unknown_cursor')
  }

  /** What the clock is ahead of the monotonic one. */
  #offset (): number {
    return this.#options.now() - performance.now()
  }

  #waitedInVain ({ connection, ahead: { from }, sinceMs }: Waiter): void {
    const { merchantId } = connection
    this.#turn.settle(merchantId)
    connection.release()
    this.#metrics.resumed('gap')
    this.#tellOf({ reason: 'unknown_cursor', from, to: this.#options.now() }, connection)
    this.#replay([...this.#history.of(merchantId)].filter(({ arrivedMs }) => arrivedMs >= sinceMs), connection)
  }

  #tellOf (gap: Gap, connection: Connection): void {
    if (connection.closing) return // It comes back with the cursor that it was told to.
    connection.tell([new frame.ControlFrame(frame.gap(this.checkpoint(connection.merchantId), gap))])
    this.#metrics.gapTold(gap.reason)
  }

  #replay (missed: Iterable<Entry>, connection: Connection): void {
    const frames: frame.EventFrame[] = []
    for (const entry of missed) {
      if (connection.filter?.accepts(entry.topic) ?? true) frames.push(new frame.EventFrame(entry.message, this.#history.cursorOf(entry)))
    }
    if (frames.length > 0) connection.tell(frames)
  }
}
