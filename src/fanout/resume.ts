import { SKEW_MS, formatCursor, parseCursor } from './cursor.js'
import type { Filter } from './filter.js'
import type { Gap, GapReason } from './gap.js'
import type { Entry, History } from './history.js'

/** How a stream begins; the closed set of `resumes_total{outcome}`. */
export const RESUME_OUTCOMES = ['exact', 'behind', 'covered', 'gap', 'fresh'] as const
export type ResumeOutcome = typeof RESUME_OUTCOMES[number]

/** What a client says of itself that decides where its stream begins. */
export interface Beginning {
  readonly merchantId: string
  readonly filter: Filter | undefined
  /** The cursor of a client that comes back, as it gave it. */
  readonly lastEventId?: string | undefined
  /** So many of the last events are sent to one that has none. */
  readonly replay?: number | undefined
}

/** Where a stream begins: `at` is the cursor of the place before what is sent, `first` is held and sent, with all that follows it. */
export type Resumption =
  | { readonly outcome: 'exact' | 'covered' | 'fresh', readonly at: string, readonly first: Entry | undefined }
  | { readonly outcome: 'gap', readonly at: string, readonly gap: Gap, readonly first: Entry | undefined }
  | Ahead & { readonly outcome: 'behind', readonly at: string }

/** What an instance knows, and when. */
export interface Knowledge {
  readonly history: History
  /** In Unix milliseconds; what is too old has been taken out of the history. */
  readonly now: number
  /** Until when all that was published has come in, in Unix milliseconds. */
  readonly provenMs: number
  /** Why a cursor from before the history was started is of no use. */
  readonly reasonBefore: GapReason
}

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
 */
export function resume (knowledge: Knowledge, { merchantId, filter, lastEventId, replay: wanted = 0 }: Beginning): Resumption {
  const { history, now, reasonBefore } = knowledge
  if (lastEventId === undefined) return begin(knowledge, merchantId, filter, wanted)
  const cursor = parseCursor(lastEventId, merchantId)
  if (cursor === undefined || Math.max(cursor.arrivedMs, cursor.caughtUpMs ?? 0) > now + SKEW_MS) {
    return { outcome: 'gap', at: nothingSince(history, merchantId, 0), gap: { reason: 'unknown_cursor', from: 0, to: now }, first: undefined }
  }
  const { arrivedMs, hash, epoch, caughtUpMs: provenMs = arrivedMs } = cursor
  const own = epoch === history.epochOf(merchantId)
  const skewMs = own ? 0 : SKEW_MS
  const whole = history.isCompleteSince(merchantId, arrivedMs - skewMs)
  const known = hash === undefined ? undefined : history.find(merchantId, arrivedMs - skewMs, arrivedMs + skewMs, hash)
  // If it is not whole, the event may be held for a later one that looks like it.
  if (known !== undefined && whole) return replay('exact', history.cursorOf(known), history.next(known))

  const seenMs = Math.max(arrivedMs, provenMs)
  // What came after it may have been published before it came.
  const from = Math.max(0, seenMs - SKEW_MS)
  if (hash !== undefined && whole) {
    const until = arrivedMs + SKEW_MS
    // What this instance has given out itself, it would know.
    if (own || now > until) return gap('unknown_cursor')
    return { outcome: 'behind', at: lastEventId, awaits: hash, until, from }
  }
  const neededMs = provenMs - skewMs
  if (history.isCompleteSince(merchantId, neededMs)) return replay('covered', lastEventId, history.find(merchantId, neededMs, Infinity))
  return gap(history.on && neededMs < history.startedAt ? reasonBefore : 'history_evicted')

  function replay (outcome: 'exact' | 'covered', at: string, first: Entry | undefined): Resumption {
    return { outcome, at: first === undefined ? checkpoint(knowledge, merchantId) : at, first }
  }

  function gap (reason: GapReason): Resumption {
    const first = known === undefined ? history.find(merchantId, seenMs, Infinity) : history.next(known)
    return { outcome: 'gap', at: lastEventId!, gap: { reason, from: Math.min(from, now), to: now }, first }
  }
}

/** A cursor says which event was last, or that none was: nothing came between that and when it was known. */
function begin (knowledge: Knowledge, merchantId: string, filter: Filter | undefined, wanted: number): Resumption {
  const { history } = knowledge
  const all = wanted === 0 ? [] : [...history.of(merchantId)]
  const first = all.filter(({ topic }) => filter?.accepts(topic) ?? true).slice(-wanted)[0]
  if (first === undefined) return { outcome: 'fresh', at: checkpoint(knowledge, merchantId), first }
  const before = all[all.indexOf(first) - 1]
  return { outcome: 'fresh', at: before === undefined ? nothingSince(history, merchantId, first.arrivedMs) : history.cursorOf(before), first }
}

/** The cursor of now: all that has come in of a merchant is before it. */
export function checkpoint ({ history, provenMs }: Pick<Knowledge, 'history' | 'provenMs'>, merchantId: string): string {
  const newest = history.newest(merchantId)
  return newest === undefined ? nothingSince(history, merchantId, provenMs) : history.cursorOf(newest, provenMs)
}

function nothingSince (history: History, merchantId: string, ms: number): string {
  return formatCursor({ arrivedMs: ms, hash: undefined, epoch: history.epochOf(merchantId), caughtUpMs: ms })
}
