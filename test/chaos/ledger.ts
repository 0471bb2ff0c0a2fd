import type { Lane } from './lane.js'

/** What a client is told of events that it may have missed. */
export interface Gap {
  readonly reason: string
  /** In Unix milliseconds, as `to`. */
  readonly from: number
  readonly to: number
  /** The event's own id. */
  readonly id: string
}

/** An event that came again, or after one that was published later. */
export interface Misplaced {
  readonly lane: Lane
  readonly number: number
  /** The highest number that had come when it came. */
  readonly after: number
  readonly id: string
}

interface Track {
  readonly lane: Lane
  /** How often each number came. */
  readonly counts: number[]
  highest: number
  /** By number, since the last {@link Ledger.rule}. */
  ids: Map<number, string>
  wait: { readonly mark: number, readonly over: () => void } | undefined
}

/** All that one client was sent, by which it is known what it was not. */
export class Ledger {
  readonly client: string
  readonly #tracks: Map<string, Track>
  #doubled: Misplaced[] = []
  #late: Misplaced[] = []
  #gaps: Gap[] = []
  /** What came that no client should ever get, and how often. */
  #complaints = new Map<string, number>()
  #journal: string[] = []
  /** All gaps that it was ever told of. */
  readonly gaps: Gap[] = []
  /** How often it lost its connection, since the last {@link Ledger.rule}. */
  drops = 0

  /** @param lanes those of the client's merchant. */
  constructor (client: string, lanes: readonly Lane[]) {
    this.client = client
    this.#tracks = new Map(lanes.map((lane) => [lane.publisher, { lane, counts: [], highest: -1, ids: new Map(), wait: undefined }]))
  }

  get lanes (): readonly Lane[] {
    return [...this.#tracks.values()].map(({ lane }) => lane)
  }

  received (publisher: string, number: number, id: string): void {
    const track = this.#tracks.get(publisher)
    if (track === undefined || track.lane.outcomeOf(number) === undefined) {
      this.complain(`got ${publisher} ${number}, id ${id}, which nobody has published for its merchant`)
      return
    }
    const { lane, counts, highest } = track
    if (id === '') this.complain(`got events of ${publisher} without an id`)
    const before = counts[number] ?? 0
    counts[number] = before + 1
    if (before > 0) {
      this.#doubled.push({ lane, number, after: highest, id })
      return
    }
    track.ids.set(number, id)
    if (number < highest) {
      this.#late.push({ lane, number, after: highest, id })
      return
    }
    track.highest = number
    if (track.wait !== undefined && number >= track.wait.mark) track.wait.over()
  }

  told (gap: Gap): void {
    this.gaps.push(gap)
    this.#gaps.push(gap)
    this.note(`told of a gap (${gap.reason}) from ${time(gap.from)} to ${time(gap.to)}, id ${gap.id}`)
  }

  /** Something came that no client should ever get; the same thing again is one line with it. */
  complain (what: string): void {
    this.#complaints.set(what, (this.#complaints.get(what) ?? 0) + 1)
  }

  /** For whoever has to find out what went wrong. */
  note (what: string): void {
    this.#journal.push(`${time(Date.now())} ${what}`)
  }

  has (lane: Lane, number: number): boolean {
    return this.#tracks.get(lane.publisher)!.counts[number] !== undefined
  }

  /** The highest number that has come of a lane; -1 before there is any. */
  highestOf (lane: Lane): number {
    return this.#tracks.get(lane.publisher)!.highest
  }

  /** The id by which this number came, if it did since the last {@link Ledger.rule}. */
  idOf (lane: Lane, number: number): string | undefined {
    return this.#tracks.get(lane.publisher)!.ids.get(number)
  }

  /** Resolves once an event of this number, or a later one, has come: what is missing of those before will not come any more. */
  async past (lane: Lane, mark: number): Promise<void> {
    const track = this.#tracks.get(lane.publisher)!
    if (track.highest >= mark) return
    await new Promise<void>((resolve) => { track.wait = { mark, over: resolve } })
    track.wait = undefined
  }

  /** What was remarkable since the last time; from here on it is noted anew. */
  rule () {
    const page = { doubled: this.#doubled, late: this.#late, gaps: this.#gaps, complaints: [...this.#complaints].map(([what, times]) => times === 1 ? what : `${what} (${times} times)`), journal: this.#journal, drops: this.drops }
    this.#doubled = []
    this.#late = []
    this.#gaps = []
    this.#complaints = new Map()
    this.#journal = []
    this.drops = 0
    for (const track of this.#tracks.values()) track.ids = new Map([...track.ids].filter(([number]) => number === track.highest))
    return page
  }
}

export function time (ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString().slice(11, -1) : String(ms)
}
