import type { Message } from '../message.js'
import { SKEW_MS, epochOf, formatCursor, newEpoch } from './cursor.js'
import { Records } from './records.js'

export interface HistoryBounds {
  /** How long a message is kept, in milliseconds. */
  readonly ttlMs: number
  /** Payloads and what keeping them costs, of all merchants together. */
  readonly maxBytes: number
  /** 0 for no history at all. */
  readonly eventsPerMerchant: number
}

/** However many there are of a merchant, those younger than this are kept: clients that hop among instances need them. */
const YOUNG_MS = 2 * SKEW_MS
/** What a merchant costs of whom anything is held, about. */
const QUEUE_BYTES = 250
const FLOORS = 65_536
/** So many at most are taken out for their age when a message comes in: a pause must not be paid for by the first one after it. */
const MAX_EXPIRED = 64
const NONE = -1

/** What is held of one merchant, from the oldest to the newest; there is none without a record. */
class Queue {
  readonly merchantId: string
  readonly place: number
  oldest = NONE
  newest = NONE
  count = 0
  /** When what was evicted last had arrived: nothing that arrived after it was. */
  floor: number
  epoch: string | undefined

  constructor (merchantId: string, place: number, floor: number) {
    this.merchantId = merchantId
    this.place = place
    this.floor = floor
  }
}

/** A message that is held. It may be evicted by whatever is done to the history: see {@link History.holds}. */
export class Entry {
  readonly merchantId: string
  /** In Unix milliseconds; never less than that of an earlier one. */
  readonly arrivedMs: number
  /** Of all that ever came in, no other has it. */
  readonly serial: number
  readonly topic: string
  /** @internal */
  readonly slot: number
  readonly #records: Records<Queue>

  constructor (records: Records<Queue>, slot: number) {
    this.#records = records
    this.slot = slot
    this.serial = records.serial(slot)
    this.merchantId = records.owner(slot).merchantId
    this.arrivedMs = records.arrivedMs(slot)
    this.topic = records.topic(slot)
  }

  /** What a latency or a conflation would go by is not kept: a replay has neither. */
  get message (): Message {
    const { merchantId, topic, slot } = this
    return { merchantId, topic, name: this.#records.name(slot), payload: this.#records.payload(slot).toString(), supersedes: undefined, timestamp: undefined }
  }

  get digest (): string {
    return this.#records.digest(this.slot)
  }
}

/**
 * What was recently received, of all merchants: those without clients here, too, as a client may come from another
 * instance. Bounded by age, by bytes over all, and by count per merchant (but for the youngest). It knows since when it
 * is complete for each merchant: nothing was missed and nothing evicted since then.
 *
 * What is done per message takes constant time, over many; the most that one may cost is giving up a segment (records.ts).
 */
export class History {
  readonly #bounds: HistoryBounds
  readonly #records: Records<Queue>
  readonly #queues = new Map<string, Queue>()
  /**
   * The floors of merchants of whom nothing is held any more, by a digest of the merchant. Merchants may share a place: a
   * floor that is too late makes a gap of a resume, never a resume of a gap.
   */
  readonly #floors = new Float64Array(FLOORS)
  readonly #evictUpTo = (slot: number) => { this.#evictThrough(slot) }
  #lastMs = 0
  #startedAt = Infinity
  #epoch = newEpoch()

  constructor (bounds: HistoryBounds) {
    this.#bounds = bounds
    this.#records = new Records(bounds.maxBytes)
  }

  get on (): boolean {
    return this.#bounds.eventsPerMerchant > 0
  }

  get events (): number {
    return this.#records.count
  }

  get bytes (): number {
    return this.#records.bytes + this.#queues.size * QUEUE_BYTES
  }

  /** Since when nothing of any merchant was missed, in Unix milliseconds; `Infinity` before the first {@link History.start}. */
  get startedAt (): number {
    return this.#startedAt
  }

  /** From now on everything comes in. What came before is forgotten: it is of no use across what may be missing. */
  start (now: number): void {
    this.#queues.clear()
    this.#records.clear()
    this.#lastMs = now
    this.#startedAt = now
    this.#epoch = newEpoch()
  }

  /** @returns when it arrived, as its cursor says it; `undefined` if there is no history. */
  append (message: Message, payload: Buffer, now: number): number | undefined {
    if (!this.on) return undefined
    this.expire(now, MAX_EXPIRED)
    this.#lastMs = Math.max(now, this.#lastMs)
    const queue = this.#queueOf(message.merchantId)
    const slot = this.#records.add(queue, message, payload, this.#lastMs)
    if (queue.newest === NONE) queue.oldest = slot
    else this.#records.link(queue.newest, slot)
    queue.newest = slot
    queue.count++

    const { eventsPerMerchant, maxBytes } = this.#bounds
    while (queue.count > eventsPerMerchant && this.#records.arrivedMs(queue.oldest) < this.#lastMs - YOUNG_MS) this.#evictOldestOf(queue)
    while (this.bytes > maxBytes && this.#records.count > 0) this.#records.reclaim(this.#evictUpTo)
    return this.#lastMs
  }

  /** Takes out what is too old, `most` at most. */
  expire (now: number, most = Infinity): void {
    const horizon = now - this.#bounds.ttlMs
    for (let slot = this.#records.oldest(); most > 0 && slot !== NONE && this.#records.arrivedMs(slot) < horizon; slot = this.#records.oldest(), most--) this.#evictThrough(slot)
  }

  /** Whether all of a merchant that arrived at that time or later is held. */
  isCompleteSince (merchantId: string, ms: number): boolean {
    if (!this.on || ms < this.#startedAt) return false
    const floor = this.#queues.get(merchantId)?.floor ?? this.#floors[placeOf(merchantId)]!
    return floor < ms
  }

  /** A merchant's messages, in the order of arrival. */
  * of (merchantId: string): Generator<Entry, void> {
    for (let slot = this.#oldestOf(merchantId); slot !== NONE; slot = this.#records.next(slot)) yield new Entry(this.#records, slot)
  }

  /** The first of a merchant that arrived at that time or later, and has that digest if one is given. */
  find (merchantId: string, fromMs: number, toMs: number, digest?: string): Entry | undefined {
    const records = this.#records
    for (let slot = this.#oldestOf(merchantId); slot !== NONE && records.arrivedMs(slot) <= toMs; slot = records.next(slot)) {
      if (records.arrivedMs(slot) >= fromMs && (digest === undefined || records.digest(slot) === digest)) return new Entry(records, slot)
    }
    return undefined
  }

  /** The one that arrived next, of the same merchant. */
  next ({ slot }: Entry): Entry | undefined {
    const next = this.#records.next(slot)
    return next === NONE ? undefined : new Entry(this.#records, next)
  }

  /** Whether it has not been evicted. */
  holds ({ slot, serial }: Entry): boolean {
    return this.#records.serial(slot) === serial
  }

  newest (merchantId: string): Entry | undefined {
    const queue = this.#queues.get(merchantId)
    return queue === undefined ? undefined : new Entry(this.#records, queue.newest)
  }

  /** The epoch, as cursors of this merchant say it. */
  epochOf (merchantId: string): string {
    const queue = this.#queues.get(merchantId)
    if (queue === undefined) return epochOf(this.#epoch, merchantId)
    queue.epoch ??= epochOf(this.#epoch, merchantId)
    return queue.epoch
  }

  /** The cursor of a message that arrived in the present epoch. */
  cursorAt (merchantId: string, arrivedMs: number, digest: string, caughtUpMs?: number): string {
    return formatCursor({ arrivedMs, hash: digest, epoch: this.epochOf(merchantId), caughtUpMs })
  }

  cursorOf ({ merchantId, arrivedMs, digest }: Entry, caughtUpMs?: number): string {
    return this.cursorAt(merchantId, arrivedMs, digest, caughtUpMs)
  }

  #oldestOf (merchantId: string): number {
    return this.#queues.get(merchantId)?.oldest ?? NONE
  }

  #queueOf (merchantId: string): Queue {
    const queue = this.#queues.get(merchantId)
    if (queue !== undefined) return queue
    const place = placeOf(merchantId)
    const added = new Queue(merchantId, place, this.#floors[place]!)
    this.#queues.set(merchantId, added)
    return added
  }

  /** And all of the same merchant that is older: what is held of one has no holes. */
  #evictThrough (slot: number): void {
    const queue = this.#records.owner(slot)
    while (queue.oldest !== slot) this.#evictOldestOf(queue)
    this.#evictOldestOf(queue)
  }

  #evictOldestOf (queue: Queue): void {
    const { oldest } = queue
    queue.oldest = this.#records.next(oldest)
    queue.floor = this.#records.arrivedMs(oldest)
    this.#records.delete(oldest)
    if (--queue.count > 0) return
    this.#floors[queue.place] = Math.max(this.#floors[queue.place]!, queue.floor)
    this.#queues.delete(queue.merchantId)
  }
}

/** FNV-1a, as far as there are floors. */
function placeOf (merchantId: string): number {
  let digest = 0x811c9dc5
  for (let i = 0; i < merchantId.length; i++) digest = Math.imul(digest ^ merchantId.charCodeAt(i), 0x01000193)
  return (digest ^ digest >>> 16) & FLOORS - 1
}
