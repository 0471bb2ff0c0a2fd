import type { Metrics } from '../metrics.js'
import type { Clock } from './clock.js'
import type { Connection } from './connection.js'
import { SKEW_MS } from './cursor.js'
import * as frame from './frame.js'
import type { Gap, GapReason } from './gap.js'
import type { Entry, History } from './history.js'
import type { Registry } from './registry.js'
import { checkpoint, resume, type Beginning } from './resume.js'
import type { Turn } from './turn.js'
import { Waiting, type Waiter } from './waiting.js'

export interface CatchUpOptions {
  readonly retryMs: number
  readonly clock: Clock
  /** Until when all that was published has been received, on the monotonic clock. */
  readonly provenAt: () => number
  readonly metrics: Metrics
}

/** What is replayed is sent in portions of about so many bytes, the next one when the kernel has taken the last. */
const PORTION_BYTES = 65_536

/**
 * Brings clients to where the stream is: by what they have missed, or by telling them that something may be missing. Until
 * then they are held, and owed a place in the history instead of what they are to be sent.
 */
export class CatchUp {
  readonly #history: History
  readonly #registry: Registry
  readonly #turn: Turn
  readonly #options: CatchUpOptions
  readonly #metrics: Metrics
  readonly #waiting = new Waiting((waiter) => { this.#waitedInVain(waiter) })
  /** What those are to be sent next that have not taken all yet. */
  readonly #replays = new Map<Connection, Entry>()
  /** What was encoded in this turn, by serial number: clients of one merchant that come back together are sent the same. */
  readonly #frames = new Map<number, frame.EventFrame>()
  #reasonBefore: GapReason = 'redis_outage'

  constructor (history: History, registry: Registry, turn: Turn, options: CatchUpOptions) {
    this.#history = history
    this.#registry = registry
    this.#turn = turn
    this.#options = options
    this.#metrics = options.metrics
  }

  /** Greets a client and sends it what it has missed. What is pending for its merchant has been delivered to the others. */
  begin (connection: Connection, beginning: Beginning): void {
    const { clock, provenAt, retryMs } = this.#options
    this.heedClock()
    const now = clock.now()
    this.#history.expire(now)
    const resumption = resume({ history: this.#history, now, provenMs: clock.at(provenAt()), reasonBefore: this.#reasonBefore }, beginning)
    connection.tell([new frame.ControlFrame(frame.retry(frame.jittered(retryMs)) + frame.connected(resumption.at, connection.merchantId, now))])
    if (resumption.outcome === 'behind') {
      connection.hold()
      this.#waiting.add({ connection, ahead: resumption, sinceMs: now })
      return
    }
    this.#metrics.resumed(resumption.outcome)
    if (resumption.outcome === 'gap') this.#tellOf(resumption.gap, connection)
    if (resumption.first !== undefined) this.#replay(connection, resumption.first)
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

  /** The kernel has taken all that a client was sent: it may be sent more. */
  goOn (connection: Connection): void {
    const next = this.#replays.get(connection)
    if (next === undefined) return
    if (this.#history.holds(next)) {
      this.#replay(connection, next)
      return
    }
    this.#tellOf({ reason: 'history_evicted', from: next.arrivedMs - SKEW_MS, to: this.#options.clock.now() }, connection)
    this.#replay(connection, this.#history.find(connection.merchantId, 0, Infinity))
  }

  /** The history begins anew, and everybody is told why. What was pending has been delivered. Both on the monotonic clock. */
  subscribed (lostAt: number, sinceAt: number): void {
    const { clock } = this.#options
    // Before the first subscription there was nothing that could be lost, or resumed.
    this.#reasonBefore = this.#history.startedAt === Infinity ? 'unknown_cursor' : 'redis_outage'
    clock.heed()
    this.#history.start(clock.at(sinceAt))
    const [lostMs, to] = [clock.at(lostAt), clock.now()]
    for (const connection of this.#registry) {
      const from = Math.min(lostMs, this.#waiting.of(connection)?.ahead.from ?? lostMs, (this.#replays.get(connection)?.arrivedMs ?? Infinity) - SKEW_MS)
      this.#replays.delete(connection)
      if (this.#waiting.delete(connection)) this.#metrics.resumed('gap')
      connection.release()
      this.#tellOf({ reason: 'redis_outage', from, to }, connection)
    }
  }

  /** The cursor of a client that has been sent, or is owed, all that has arrived. */
  checkpoint (merchantId: string): string {
    return checkpoint({ history: this.#history, provenMs: this.#options.clock.at(this.#options.provenAt()) }, merchantId)
  }

  /** A connection is closed. */
  forget (connection: Connection): void {
    this.#replays.delete(connection)
    if (this.#waiting.delete(connection)) this.#metrics.resumed('behind')
  }

  /** Times from before a clock was set say nothing of those after it: no event is to be found by them, and none to be proven absent. */
  heedClock (): void {
    if (!this.#options.clock.heed() || this.#history.startedAt === Infinity) return
    this.#reasonBefore = 'unknown_cursor'
    this.#history.start(this.#options.clock.now())
  }

  #waitedInVain ({ connection, ahead: { from }, sinceMs }: Waiter): void {
    const { merchantId } = connection
    this.#metrics.resumed('gap')
    this.#tellOf({ reason: 'unknown_cursor', from, to: this.#options.clock.now() }, connection)
    this.#replay(connection, this.#history.find(merchantId, sinceMs, Infinity))
  }

  #tellOf (gap: Gap, connection: Connection): void {
    if (connection.closing) return // It comes back with the cursor that it was told to.
    connection.tell([new frame.ControlFrame(frame.gap(this.checkpoint(connection.merchantId), gap))])
    this.#metrics.gapTold(gap.reason)
  }

  /** Sends this and what follows it, as fast as the client takes it; then the client is where the others are. */
  #replay (connection: Connection, first: Entry | undefined): void {
    connection.hold()
    let next = first
    while (next !== undefined && !connection.closing) {
      const frames: frame.EventFrame[] = []
      for (let bytes = 0; next !== undefined && bytes < PORTION_BYTES; next = this.#history.next(next)) {
        if (connection.filter?.accepts(next.topic) === false) continue
        const encoded = this.#frameOf(next)
        frames.push(encoded)
        bytes += encoded.bytes
      }
      if (frames.length > 0) connection.tell(frames)
      if (next !== undefined && connection.lagging) {
        this.#replays.set(connection, next)
        return
      }
    }
    this.#replays.delete(connection)
    // What is pending for the others was in the history.
    this.#turn.settle(connection.merchantId)
    connection.release()
  }

  #frameOf (entry: Entry): frame.EventFrame {
    return this.#frames.get(entry.serial) ?? this.#encode(entry)
  }

  #encode (entry: Entry): frame.EventFrame {
    if (this.#frames.size === 0) setImmediate(() => { this.#frames.clear() })
    const encoded = new frame.EventFrame(entry.message, this.#history.cursorOf(entry))
    this.#frames.set(entry.serial, encoded)
    return encoded
  }
}
