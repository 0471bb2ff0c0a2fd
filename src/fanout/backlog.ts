import type { EventFrame, Frame } from './frame.js'

/** What keeping a frame costs beside its bytes, about; without it, many tiny ones would slip past the bound. */
const ENTRY_BYTES = 64

/**
 * What a client that lags is owed, in the order of arrival: references to frames that all such clients share. A frame
 * whose message supersedes an earlier one's (message.ts) takes its place in the account, and its own in the order.
 */
export class Backlog {
  /** By what they supersede, or by a number of their own: a map keeps the order in which keys were set. */
  readonly #frames = new Map<string | number, Frame>()
  #next = 0
  #bytes = 0

  /** What is owed, in bytes. */
  get bytes (): number {
    return this.#bytes
  }

  get empty (): boolean {
    return this.#frames.size === 0
  }

  /** Whether it superseded an earlier frame, which is owed no longer. */
  add (frame: EventFrame): boolean {
    const { supersedes } = frame.message
    const superseded = supersedes === undefined ? undefined : this.#frames.get(supersedes)
    if (superseded !== undefined) {
      this.#frames.delete(supersedes!)
      this.#bytes -= superseded.bytes + ENTRY_BYTES
    }
    this.#set(supersedes ?? this.#next++, frame)
    return superseded !== undefined
  }

  /** Adds what supersedes nothing, and nothing supersedes. */
  append (frame: Frame): void {
    this.#set(this.#next++, frame)
  }

  /** Takes the oldest: as many as so many bytes hold, and one at least, unless it is empty. */
  take (maxBytes: number): Frame[] {
    const taken: Frame[] = []
    let room = maxBytes
    for (const [key, frame] of this.#frames) {
      if (taken.length > 0 && frame.bytes > room) break
      this.#frames.delete(key)
      this.#bytes -= frame.bytes + ENTRY_BYTES
      room -= frame.bytes
      taken.push(frame)
    }
    return taken
  }

  #set (key: string | number, frame: Frame): void {
    this.#frames.set(key, frame)
    this.#bytes += frame.bytes + ENTRY_BYTES
  }
}
