import type { Connection } from './connection.js'

/** How exact deadlines are, in milliseconds. */
const TICK_MS = 250

/**
 * The one timer behind all that happens to a connection at a time known beforehand. Connections sit in the slot of the
 * tick that is due for them; a tick looks at no others, however many there are.
 */
export class Deadlines {
  readonly #slots = new Map<number, Set<Connection>>()
  readonly #due: (connection: Connection) => void
  #timer: NodeJS.Timeout | undefined
  #position = tickAt(performance.now())

  /** @param due told of each connection once its time has come; it has no deadline any more, and may be given another. */
  constructor (due: (connection: Connection) => void) {
    this.#due = due
  }

  start (): void {
    this.#timer = setInterval(() => { this.#tick() }, TICK_MS)
  }

  stop (): void {
    clearInterval(this.#timer)
  }

  /** @param at on the monotonic clock, in milliseconds; a time gone by is the next tick. Replaces an earlier deadline. */
  set (connection: Connection, at: number): void {
    this.delete(connection)
    const number = Math.max(tickAt(at), this.#position) + 1
    connection.deadlineSlot = number
    const slot = this.#slots.get(number)
    if (slot === undefined) this.#slots.set(number, new Set([connection]))
    else slot.add(connection)
  }

  delete (connection: Connection): void {
    const number = connection.deadlineSlot
    if (number === undefined) return
    connection.deadlineSlot = undefined
    const slot = this.#slots.get(number)!
    slot.delete(connection)
    if (slot.size === 0) this.#slots.delete(number)
  }

  /** More than one slot is due when the event loop has stalled. */
  #tick (): void {
    const now = tickAt(performance.now())
    while (this.#position < now) {
      for (const connection of this.#slots.get(++this.#position) ?? []) {
        this.delete(connection)
        this.#due(connection)
      }
    }
  }
}

const tickAt = (ms: number): number => Math.floor(ms / TICK_MS)
