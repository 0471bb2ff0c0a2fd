import type { Message } from '../message.js'
import { digestOf } from './cursor.js'

/** Where a segment says whose record begins here, and how long its payload is. */
const HEAD_BYTES = 8
/** What a record costs beside its payload: its head, and its share of the columns. */
const RECORD_BYTES = HEAD_BYTES + 88
const MAX_SEGMENT_BYTES = 262_144
/** Of all the room there is; what a segment holds is moved or given up as a whole. */
const SEGMENT_SHARE = 1 / 64
const FIRST_SLOTS = 64
const MAX_NAMES = 1_000

/** A stretch of bytes that is filled once, from its beginning. */
class Segment {
  readonly bytes: Buffer
  used = 0
  /** Before this, there is no record any more. */
  swept = 0
  records = 0
  recordBytes = 0

  constructor (size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
  }
}

/**
 * Messages by number ("slot"), not as objects: a few hundred thousand that live for minutes would cost more to collect than
 * all the rest of a message's way (1.7 µs and more each, against 0.6 to 0.9). Payloads lie outside of V8's heap, in segments
 * that are filled one after another; what else there is to a record, in columns.
 *
 * Slots are used again: whoever keeps one must know that its record has not been deleted.
 */
export class Records<Owner> {
  readonly #segmentBytes: number
  /** In the order in which they were begun. */
  readonly #segments = new Set<Segment>()
  #head: Segment | undefined
  /** One that is empty, to be used again. */
  #spare: Segment | undefined
  #bytesInSegments = 0
  #count = 0

  #slots = 0
  #freeSlots: number[] = []
  #arrivedMs = new Float64Array(FIRST_SLOTS)
  #next = new Int32Array(FIRST_SLOTS)
  #offset = new Int32Array(FIRST_SLOTS)
  #length = new Int32Array(FIRST_SLOTS)
  readonly #segment: Array<Segment | undefined> = []
  readonly #owner: Array<Owner | undefined> = []
  /** Slots are used again, serial numbers are not. */
  #serial = new Float64Array(FIRST_SLOTS)
  #lastSerial = 0
  readonly #digest: Array<string | undefined> = []
  readonly #topic: string[] = []
  readonly #name: string[] = []
  /** The same few names again and again: each is kept once. */
  readonly #names = new Map<string, string>()

  /** @param maxBytes about as many as there will be; what bounds them is {@link Records.reclaim}. */
  constructor (maxBytes: number) {
    this.#segmentBytes = Math.min(MAX_SEGMENT_BYTES, Math.ceil(maxBytes * SEGMENT_SHARE))
  }

  get count (): number {
    return this.#count
  }

  /** Of memory, about. */
  get bytes (): number {
    return this.#bytesInSegments + this.#count * RECORD_BYTES
  }

  /** @returns its slot. */
  add (owner: Owner, { topic, name }: Message, payload: Buffer, arrivedMs: number): number {
    const slot = this.#freeSlots.pop() ?? this.#newSlot()
    this.#count++
    this.#owner[slot] = owner
    this.#serial[slot] = ++this.#lastSerial
    this.#digest[slot] = undefined
    this.#arrivedMs[slot] = arrivedMs
    this.#next[slot] = -1
    this.#topic[slot] = this.#known(topic)
    this.#name[slot] = this.#known(name)
    this.#place(slot, payload)
    return slot
  }

  delete (slot: number): void {
    this.#leave(slot)
    this.#owner[slot] = undefined
    this.#serial[slot] = 0
    this.#freeSlots.push(slot)
    this.#count--
  }

  clear (): void {
    this.#segments.clear()
    this.#head = undefined
    this.#bytesInSegments = this.#count = this.#slots = 0
    this.#freeSlots = []
    this.#segment.length = this.#owner.length = 0
    this.#serial.fill(0)
  }

  /** Never given twice; 0 of a slot that is free. */
  serial (slot: number): number {
    return this.#serial[slot]!
  }

  /** Made when first asked for: of messages of merchants without clients here, nobody asks. */
  digest (slot: number): string {
    this.#digest[slot] ??= digestOf(this.topic(slot), this.payload(slot))
    return this.#digest[slot]
  }

  owner (slot: number): Owner {
    return this.#owner[slot]!
  }

  arrivedMs (slot: number): number {
    return this.#arrivedMs[slot]!
  }

  /** The slot that this one was linked to; -1 for none. */
  next (slot: number): number {
    return this.#next[slot]!
  }

  link (slot: number, next: number): void {
    this.#next[slot] = next
  }

  topic (slot: number): string {
    return this.#topic[slot]!
  }

  name (slot: number): string {
    return this.#name[slot]!
  }

  /** No copy: it changes when the record is deleted or moved. */
  payload (slot: number): Buffer {
    const start = this.#offset[slot]! + HEAD_BYTES
    return this.#segment[slot]!.bytes.subarray(start, start + this.#length[slot]!)
  }

  /** The oldest record, but for those that were moved; -1 if there is none. What was deleted is passed over once, however often this is asked. */
  oldest (): number {
    for (const segment of this.#segments) {
      for (; segment.swept < segment.used; segment.swept = this.#endOf(segment, segment.swept)) {
        const slot = segment.bytes.readInt32LE(segment.swept)
        if (this.#isAt(slot, segment, segment.swept)) return slot
      }
    }
    return -1
  }

  /**
   * Frees the oldest segment. Where most of it is deleted or was never filled, what is left moves on; else it is to be given
   * up, or the same bytes would be copied again and again.
   * To be called while there is a record.
   * @param giveUp deletes this record at least.
   */
  reclaim (giveUp: (slot: number) => void): void {
    const victim = this.#segments.values().next().value!
    const moves = victim !== this.#head && victim.recordBytes * 2 <= victim.bytes.length
    for (let at = victim.swept, end: number; at < victim.used && victim.records > 0; at = end) {
      end = this.#endOf(victim, at)
      const slot = victim.bytes.readInt32LE(at)
      if (!this.#isAt(slot, victim, at)) continue
      if (moves) this.#move(slot, victim.bytes.subarray(at + HEAD_BYTES, end))
      else giveUp(slot)
    }
  }

  #newSlot (): number {
    if (this.#slots === this.#next.length) {
      this.#arrivedMs = grown(this.#arrivedMs, Float64Array)
      this.#serial = grown(this.#serial, Float64Array)
      this.#next = grown(this.#next, Int32Array)
      this.#offset = grown(this.#offset, Int32Array)
      this.#length = grown(this.#length, Int32Array)
    }
    return this.#slots++
  }

  #known (name: string): string {
    const known = this.#names.get(name)
    if (known !== undefined) return known
    if (this.#names.size < MAX_NAMES) this.#names.set(name, name)
    return name
  }

  #place (slot: number, payload: Buffer): void {
    const { length } = payload
    const size = HEAD_BYTES + length
    let head = this.#head
    if (head === undefined || head.used + size > head.bytes.length) this.#head = head = this.#begin(size)
    const at = head.used
    head.bytes.writeInt32LE(slot, at)
    head.bytes.writeInt32LE(length, at + 4)
    payload.copy(head.bytes, at + HEAD_BYTES)
    head.used += size
    head.records++
    head.recordBytes += size
    this.#segment[slot] = head
    this.#offset[slot] = at
    this.#length[slot] = length
  }

  #move (slot: number, payload: Buffer): void {
    const from = this.#segment[slot]!
    this.#place(slot, payload)
    this.#forget(from, payload.length)
  }

  #leave (slot: number): void {
    const from = this.#segment[slot]!
    this.#segment[slot] = undefined
    this.#forget(from, this.#length[slot]!)
  }

  /** A segment has one record less. */
  #forget (segment: Segment, length: number): void {
    segment.recordBytes -= HEAD_BYTES + length
    if (--segment.records === 0) this.#drop(segment)
  }

  #begin (size: number): Segment {
    const fits = size <= this.#segmentBytes
    const segment = fits && this.#spare !== undefined ? this.#spare : new Segment(fits ? this.#segmentBytes : size)
    if (segment === this.#spare) this.#spare = undefined
    this.#segments.add(segment)
    this.#bytesInSegments += segment.bytes.length
    return segment
  }

  #drop (segment: Segment): void {
    this.#segments.delete(segment)
    this.#bytesInSegments -= segment.bytes.length
    if (segment === this.#head) this.#head = undefined
    if (segment.bytes.length !== this.#segmentBytes) return
    segment.used = segment.swept = 0
    this.#spare = segment
  }

  #isAt (slot: number, segment: Segment, at: number): boolean {
    return this.#segment[slot] === segment && this.#offset[slot] === at
  }

  #endOf ({ bytes }: Segment, at: number): number {
    return at + HEAD_BYTES + bytes.readInt32LE(at + 4)
  }
}

function grown<T extends Float64Array | Int32Array> (column: T, Column: new (length: number) => T): T {
  const longer = new Column(column.length * 2)
  longer.set(column)
  return longer
}
