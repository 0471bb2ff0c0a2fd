import { SKEW_MS, formatCursor, parseCursor } from './cursor.js'
import type { Filter } from './filter.js'
import type { Entry, GapReason, History } from './history.js'

/** How a stream begins; the closed set of `resumes_total{outcome}`. */
export const RESUME_OUTCOMES = ['exact', 'behind', 'covered', 'gap', 'fresh'] as const
export type ResumeOutcome = typeof RESUME_OUTCOMES[number]

/** Of what was published between two times, in Unix milliseconds, some may be missing. */
export interface Gap {
  readonly reason: GapReason
  /** 0 where nothing tells since when. */
  readonly from: number
  readonly to: number
}

/** What a client says of itself that decides where its stream begins. */
export interface Beginning {
  readonly merchantId: string
  readonly filter: Filter | undefined
  /** The cursor of a client that comes back, as it gave it. */
  readonly lastEventId?: string | undefined
  /** So many of the last events are sent to one that has none. */
  readonly replay?: number | undefined
}

/** Where a stream begins. `at`: the cursor of the place before what is sent. */
export type Resumption =
  | { readonly outcome: 'exact' | 'covered' | 'fresh', readonly at: string, readonly missed: readonly Entry[] }
  | { readonly outcome: 'gap', readonly at: string, readonly gap: Gap, readonly missed: readonly Entry[] }
  | Ahead & { readonly outcome: 'behind', readonly at: string }

/** A client knows an event that this instance has yet to receive. */
export interface Ahead {
  /** The event's digest. */
  readonly awaits: string
  /** When it cannot come any more, in Unix milliseconds. */
  readonly until: number
  /** From when on events may be missing if it does not come. */
  readonly from: number
}

/**
 * The rules of DESIGN §3, "Resume of cursor (t, h, e, c)". They rest on Redis giving the same messages in the same order
 * to all instances, and on no two instances receiving the same one further apart than {@link SKEW_MS}, by their clocks.
 * @param now in Unix milliseconds; what is too old has been taken out of the history.
 * @param caughtUpMs until when all that was published has come in.
 */
export function resume (history: History, { merchantId, filter, lastEventId, replay: wanted = 0 }: Beginning, now: number, caughtUpMs: number): Resumption {
  if (lastEventId === undefined) return begin(history, merchantId, filter, wanted, caughtUpMs)
  const cursor = parseCursor(lastEventId, merchantId)
  if (cursor === undefined || Math.max(cursor.arrivedMs, cursor.caughtUpMs ?? 0) > now + SKEW_MS) {
    const at = formatCursor({ arrivedMs: 0, hash: undefined, epoch: history.epochOf(merchantId), caughtUpMs: 0 })
    return { outcome: 'gap', at, gap: { reason: 'unknown_cursor', from: 0, to: now }, missed: [] }
  }
  const { arrivedMs, hash, epoch, caughtUpMs: provenMs = arrivedMs } = cursor
  const own = epoch === history.epochOf(merchantId)
  const skewMs = own ? 0 : SKEW_MS
  const whole = history.isCompleteSince(merchantId, arrivedMs - skewMs)
  const known = find(history, merchantId, hash, arrivedMs - skewMs, arrivedMs + skewMs)
  // If it is not whole, the event may be held for a later one that looks like it.
  if (known !== undefined && (own || whole)) return replay('exact', history.cursorOf(known), [...history.after(known)])

  const seenMs = Math.max(arrivedMs, provenMs)
  // What came after it may have been published before it came.
  const from = seenMs - SKEW_MS
  const gap = (reason: GapReason): Resumption =>
    ({ outcome: 'gap', at: lastEventId, gap: { reason, from, to: now }, missed: known === undefined ? since(history, merchantId, seenMs) : [...history.after(known)] })
  if (hash !== undefined && whole) {
    const until = arrivedMs + SKEW_MS
    // What this instance has given out itself, it would know.
    if (own || now > until) return gap('unknown_cursor')
    return { outcome: 'behind', at: lastEventId, awaits: hash, until, from }
  }
  if (history.isCompleteSince(merchantId, provenMs - skewMs)) return replay('covered', lastEventId, since(history, merchantId, provenMs - skewMs))
  return gap(reasonOf(history, provenMs - skewMs))

  function replay (outcome: 'exact' | 'covered', at: string, missed: readonly Entry[]): Resumption {
    return { outcome, at: missed.length > 0 ? at : checkpoint(history, merchantId, caughtUpMs), missed }
  }
}

/** A cursor says which event was last, or that none was: nothing came between that and when it was known. */
function begin (history: History, merchantId: string, filter: Filter | undefined, replay: number, caughtUpMs: number): Resumption {
  const all = [...history.of(merchantId)]
  const wanted = filter === undefined ? all : all.filter(({ topic }) => filter.accepts(topic))
  const missed = replay === 0 ? [] : wanted.slice(-replay)
  const [first] = missed
  return { outcome: 'fresh', at: first === undefined ? checkpoint(history, merchantId, caughtUpMs) : before(history, merchantId, first), missed }
}

/** The cursor of now: all that has come in of a merchant is before it. */
export function checkpoint (history: History, merchantId: string, caughtUpMs: number): string {
  const newest = history.newest(merchantId)
  return newest === undefined ? nothingSince(history, merchantId, caughtUpMs) : history.cursorOf(newest, caughtUpMs)
}

/** The cursor of the place before an entry. */
function before (history: History, merchantId: string, entry: Entry): string {
  let earlier: Entry | undefined
  for (const each of history.of(merchantId)) {
    if (each.slot === entry.slot) break
    earlier = each
  }
  return earlier === undefined ? nothingSince(history, merchantId, entry.arrivedMs) : history.cursorOf(earlier)
}

function nothingSince (history: History, merchantId: string, ms: number): string {
  return formatCursor({ arrivedMs: ms, hash: undefined, epoch: history.epochOf(merchantId), caughtUpMs: ms })
}

/** The first event of the merchant with this digest to arrive within a span of time, its bounds included. */
function find (history: History, merchantId: string, digest: string | undefined, fromMs: number, toMs: number): Entry | undefined {
  if (digest === undefined) return undefined
  for (const entry of history.of(merchantId)) {
    if (entry.arrivedMs > toMs) return undefined
    if (entry.arrivedMs >= fromMs && entry.digest === digest) return entry
  }
  return undefined
}

function since (history: History, merchantId: string, ms: number): Entry[] {
  return [...history.of(merchantId)].filter(({ arrivedMs }) => arrivedMs >= ms)
}

function reasonOf (history: History, neededMs: number): GapReason {
  return history.on && neededMs < history.startedAt ? history.reasonBefore : 'history_evicted'
}
