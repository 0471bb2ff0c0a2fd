import type { Connection } from './connection.js'

/** A tick no shorter than this, in milliseconds: below it, the timer costs more than what it spreads. */
const MIN_TICK_MS = 10
const MAX_SLOTS = 50

/**
 * The one timer behind all heartbeats. It goes round a wheel of slots once per interval; each connection sits in one
 * slot, so that it is beaten once per interval, and no tick writes to more than its share of all connections.
 */
export class Heartbeat {
  readonly #slots: ReadonlyArray<Set<Connection>>
  readonly #tickMs: number
  readonly #beat: (connections: ReadonlySet<Connection>) => void
  #timer: NodeJS.Timeout | undefined
  #position = 0
  #next = 0

  /** @param beat told, at each tick, whose turn it is. */
  constructor (intervalMs: number, beat: (connections: ReadonlySet<Connection>) => void) {
    const count = Math.max(1, Math.min(MAX_SLOTS, Math.floor(intervalMs / MIN_TICK_MS)))
    this.#slots = Array.from({ length: count }, () => new Set<Connection>())
    this.#tickMs = intervalMs / count
    this.#beat = beat
  }

  start (): void {
    this.#timer = setInterval(() => { this.#tick() }, this.#tickMs)
  }

  stop (): void {
    clearInterval(this.#timer)
  }

  /** Its first beat comes within one interval. Slots are given out in turn, so that a crowd that arrives at once is spread. */
  add (connection: Connection): void {
    connection.heartbeatSlot = this.#next
    this.#slots[this.#next]!.add(connection)
    this.#next = (this.#next + 1) % this.#slots.length
  }

  delete (connection: Connection): void {
    this.#slots[connection.heartbeatSlot]!.delete(connection)
  }

  #tick (): void {
    const slot = this.#slots[this.#position]!
    this.#position = (this.#position + 1) % this.#slots.length
    if (slot.size > 0) this.#beat(slot)
  }
}
