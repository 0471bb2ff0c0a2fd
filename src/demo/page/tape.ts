/** What happened to the stream besides events. */
export type Mark = 'open' | 'resumed' | 'lost' | 'gap' | 'close' | 'cut' | 'mended' | 'restart'

/** One line of the log. */
export interface Entry {
  readonly number: number
  /** Unix milliseconds. */
  readonly at: number
  readonly mark: Mark | undefined
  /** The event's name, or the title of what happened. */
  readonly name: string
  readonly id: string | undefined
  readonly data: string
  /** It had been published before this connection was opened. */
  readonly replayed: boolean
}

export interface Counts {
  readonly events: number
  readonly replayed: number
  readonly gaps: number
  /** Connections that were lost, or could not be made. */
  readonly lost: number
}

export interface Recording {
  /** The newest first. */
  readonly entries: readonly Entry[]
  readonly counts: Counts
  /** With what the client would come back; `undefined` before it was told. */
  readonly cursor: string | undefined
}

/** So many lines are kept. */
const MOST = 120
/** It is told of so often at most, in milliseconds: nobody reads faster, and each time costs the page a rendering. */
const PERIOD_MS = 200

/** Remembers the last of what came, in a form for `useSyncExternalStore`. */
export class Tape {
  #entries: Entry[] = []
  #counts: Counts = { events: 0, replayed: 0, gaps: 0, lost: 0 }
  #cursor: string | undefined
  #recording: Recording = { entries: [], counts: this.#counts, cursor: undefined }
  #number = 0
  #timer: number | undefined
  readonly #listeners = new Set<() => void>()

  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  readonly recording = (): Recording => this.#recording

  event (name: string, id: string | undefined, data: string, replayed: boolean): void {
    const { events, replayed: before } = this.#counts
    this.#counts = { ...this.#counts, events: events + 1, replayed: before + Number(replayed) }
    this.#add({ mark: undefined, name, id, data, replayed })
  }

  mark (mark: Mark, name: string, data = '', id?: string): void {
    if (mark === 'gap') this.#counts = { ...this.#counts, gaps: this.#counts.gaps + 1 }
    if (mark === 'lost') this.#counts = { ...this.#counts, lost: this.#counts.lost + 1 }
    // That it fails again and again is one piece of news.
    if (mark === 'lost' && this.#entries.at(-1)?.mark === 'lost') this.#entries.pop()
    this.#add({ mark, name, id, data, replayed: false })
  }

  moved (cursor: string): void {
    this.#cursor = cursor
    this.#soon()
  }

  clear (): void {
    this.#entries = []
    this.#soon()
  }

  #add (entry: Omit<Entry, 'number' | 'at'>): void {
    this.#entries.push({ number: ++this.#number, at: Date.now(), ...entry })
    // Not at each one: it is moving all the others.
    if (this.#entries.length >= 2 * MOST) this.#entries = this.#entries.slice(-MOST)
    this.#soon()
  }

  #soon (): void {
    this.#timer ??= window.setTimeout(() => {
      this.#timer = undefined
      this.#recording = { entries: this.#entries.slice(-MOST).reverse(), counts: this.#counts, cursor: this.#cursor }
      for (const listener of this.#listeners) listener()
    }, PERIOD_MS)
  }
}
