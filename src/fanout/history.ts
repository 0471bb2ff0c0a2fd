import type { Message } from '../message.js'
import { SKEW_MS, digestOf, epochOf, formatCursor, newEpoch } from './cursor.js'

export interface HistoryBounds {
  /** How long a message is kept, in milliseconds. */
  readonly ttlMs: number
  /** Payloads and what keeping them costs, of all merchants together. */
  readonly maxBytes: number
  /** 0 for no history at all. */
  readonly eventsPerMerchant: number
}

/** What keeping a message costs beside its payload, about, in bytes of heap; a test compares it with what the heap says. */
const ENTRY_BYTES = 450
/** However many there are of a merchant, those younger than this are kept: clients that hop among instances need them. */
const YOUNG_MS = 2 * SKEW_MS
const FLOORS = 65_536

/** A message that came in, in two lists: of all, and of its merchant. */
export class Entry {
  readonly message: Message
  /** In Unix milliseconds; never less than that of an earlier one. */
  readonly arrivedMs: number
  readonly bytes: number
  /** @internal */
  readonly queue: Queue
  /** The merchant's next one. */
  next: Entry | undefined
  /** @internal */
  older: Entry | undefined
  /** @internal */
  newer: Entry | undefined
  #digest: string | undefined

  constructor (message: Message, arrivedMs: number, bytes: number, queue: Queue) {
    this.message = message
    this.arrivedMs = arrivedMs
    this.bytes = bytes
    this.queue = queue
  }

  /** Made when first asked for: for merchants without clients here, nobody asks. */
  get digest (): string {
    this.#digest ??= digestOf(this.message)
    return this.#digest
  }
}

/** What is held of one merchant; there is none without an entry. */
class Queue {
  readonly merchantId: string
  readonly slot: number
  oldest: Entry | undefined
  newest: Entry | undefined
  count = 0
  /** Nothing that arrived after this was evicted. */
  floor: number
  epoch: string | undefined

  constructor (merchantId: string, slot: number, floor: number) {
    this.merchantId = merchantId
    this.slot = slot
    this.floor = floor
  }
}

/**
 * What was recently received, of all merchants: those without clients here, too, as a client may come from another
 * instance. Bounded by age, by bytes over all, and by count per merchant (but for the youngest). It knows since when it
 * is complete for each merchant: nothing was missed and nothing evicted since then.
 *
 * All operations on a message take constant time. What is too old is taken out whenever anything is put in or asked.
 */
export class History {
  readonly #bounds: HistoryBounds
  readonly #queues = new Map<string, Queue>()
  /**
   * When the last thing evicted of a merchant without entries had arrived, by a digest of the merchant. Merchants share
   * places: a time that is too late makes a gap of a resume, never a resume of a gap.
   */
  readonly #floors = new Float64Array(FLOORS)
  #oldest: Entry | undefined
  #newest: Entry | undefined
  #lastMs = 0
  #startedAt = Infinity
  #starts = 0
  #epoch = newEpoch()
  #events = 0
  #bytes = 0

  constructor (bounds: HistoryBounds) {
    this.#bounds = bounds
  }

  get on (): boolean {
    return this.#bounds.eventsPerMerchant > 0
  }

  get events (): number {
    return this.#events
  }

  get bytes (): number {
    return this.#bytes
  }

  /** How often it was begun: more than once, if something may have been missed in between. */
  get starts (): number {
    return this.#starts
  }

  /** Since when nothing of any merchant was missed, in Unix milliseconds; `Infinity` before the first {@link History.start}. */
  get startedAt (): number {
    return this.#startedAt
  }

  /** From now on everything comes in. What came before is forgotten: it is of no use across what may be missing. */
  start (now: number): void {
    this.#queues.clear()
    this.#oldest = this.#newest = undefined
    this.#events = this.#bytes = 0
    this.#lastMs = now
    this.#startedAt = now
    this.#starts++
    this.#epoch = newEpoch()
  }

  /** @returns what the message is remembered as; `undefined` if there is no history. */
  append (message: Message, payloadBytes: number, now: number): Entry | undefined {
    if (!this.on) return undefined
    this.expire(now)
    this.#lastMs = Math.max(now, this.#lastMs)
    const queue = this.#queueOf(message.merchantId)
    const entry = new Entry(message, this.#lastMs, payloadBytes + ENTRY_BYTES, queue)
    entry.older = this.#newest
    if (this.#newest === undefined) this.#oldest = entry
    else this.#newest.newer = entry
    this.#newest = entry
    if (queue.newest === undefined) queue.oldest = entry
    else queue.newest.next = entry
    queue.newest = entry
    queue.count++
    this.#events++
    this.#bytes += entry.bytes

    while (queue.count > this.#bounds.eventsPerMerchant && queue.oldest!.arrivedMs < this.#lastMs - YOUNG_MS) this.#evict(queue.oldest!)
    while (this.#bytes > this.#bounds.maxBytes) this.#evict(this.#oldest!)
    return entry
  }

  /** Takes out what is too old. */
  expire (now: number): void {
    const horizon = now - this.#bounds.ttlMs
    while (this.#oldest !== undefined && this.#oldest.arrivedMs < horizon) this.#evict(this.#oldest)
  }

  /** Whether all of a merchant that arrived at that time or later is held. */
  isCompleteSince (merchantId: string, ms: number): boolean {
    if (!this.on || ms < this.#startedAt) return false
    const floor = this.#queues.get(merchantId)?.floor ?? this.#floors[slotOf(merchantId)]!
    return floor < ms
  }

  /** A merchant's entries, in the order of arrival. */
  * of (merchantId: string): Generator<Entry, void> {
    for (let entry = this.#queues.get(merchantId)?.oldest; entry !== undefined; entry = entry.next) yield entry
  }

  /** All that arrived after an entry of the same merchant. */
  * after (entry: Entry): Generator<Entry, void> {
    for (let next = entry.next; next !== undefined; next = next.next) yield next
  }

  newest (merchantId: string): Entry | undefined {
    return this.#queues.get(merchantId)?.newest
  }

  /** The epoch, as cursors of this merchant say it. */
  epochOf (merchantId: string): string {
    const queue = this.#queues.get(merchantId)
    if (queue === undefined) return epochOf(this.#epoch, merchantId)
    queue.epoch ??= epochOf(this.#epoch, merchantId)
    return queue.epoch
  }

  /** The cursor of an event of the present epoch. */
  cursorAt ({ arrivedMs, digest, message }: Entry, caughtUpMs?: number): string {
    return formatCursor({ arrivedMs, hash: digest, epoch: this.epochOf(message.merchantId), caughtUpMs })
  }

  #queueOf (merchantId: string): Queue {
    const queue = this.#queues.get(merchantId)
    if (queue !== undefined) return queue
    const slot = slotOf(merchantId)
    const added = new Queue(merchantId, slot, this.#floors[slot]!)
    this.#queues.set(merchantId, added)
    return added
  }

  /** @param entry its merchant's oldest. */
  #evict (entry: Entry): void {
    const { queue, older, newer, next } = entry
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    queue.oldest = next
    queue.floor = entry.arrivedMs
    if (--queue.count === 0) {
      this.#floors[queue.slot] = Math.max(this.#floors[queue.slot]!, queue.floor)
      this.#queues.delete(queue.merchantId)
    }
    // An old entry that is garbage would keep younger ones from being so, until all of the heap is looked at.
    entry.older = entry.newer = entry.next = undefined
    this.#events--
    this.#bytes -= entry.bytes
  }
}

/** FNV-1a, as far as there are floors. */
function slotOf (merchantId: string): number {
  let digest = 0x811c9dc5
  for (let i = 0; i < merchantId.length; i++) digest = Math.imul(digest ^ merchantId.charCodeAt(i), 0x01000193)
  return (digest ^ digest >>> 16) & FLOORS - 1
}
