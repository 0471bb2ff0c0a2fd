/*
 * What may come twice (DESIGN §3, "Resume of cursor"): where an instance cannot tell where exactly a client was, it begins
 * what it replays with some of the last events that the client has had, in the same order. So a repeat is known by where
 * it stands, not by what it says: two events that look the same are two events, unless they stand in the same place.
 */

/** By the clocks of two instances, one event arrives no further apart than this (src/fanout/cursor.ts). */
const SKEW_MS = 5_000
/** So many of the last events are remembered. */
const KEPT = 1_000
const CURSOR = /^(\d+)\.([\w-]+)\.([\w-]+)/

/** What an event's cursor says of it. To all others it is opaque; one that is of another form is no repeat. */
interface Place {
  /** By the clock of the instance that sent it. */
  readonly arrivedMs: number
  /** The same on all instances for events that look the same. */
  readonly hash: string
  /** Of the instance. */
  readonly epoch: string
}

/** The last events that a client was given, and which of those that are replayed to it are among them. */
export class Repeats {
  /** Cursors of what was given, the newest last. */
  #given: string[] = []
  #replay: Replay | undefined

  /**
   * The client has come back.
   * @param at the cursor that it was greeted with: the place before what is replayed, if the instance knows that.
   * @param greetedMs what arrived after that is not replayed, and so no repeat; by the clock of the instance.
   */
  resumed (at: string, greetedMs: number): void {
    this.#given = this.#given.slice(-KEPT)
    this.#replay = new Replay(this.#given.map(placeOf), placeOf(at), greetedMs)
  }

  /** Whether the event with this cursor was given before; if not, it is now. To be asked once for each, in order. */
  has (id: string): boolean {
    if (this.#replay?.repeats(placeOf(id)) === true) return true
    this.#replay = undefined
    if (this.#given.push(id) >= 2 * KEPT) this.#given = this.#given.slice(-KEPT)
    return false
  }
}

/** The beginning of what is replayed, laid along what was given. */
class Replay {
  readonly #given: ReadonlyArray<Place | undefined>
  readonly #at: Place | undefined
  readonly #greetedMs: number
  /** Where in `given` the next event may be found again; `undefined` before the first. */
  #candidates: readonly number[] | undefined

  constructor (given: ReadonlyArray<Place | undefined>, at: Place | undefined, greetedMs: number) {
    this.#given = given
    this.#at = at
    this.#greetedMs = greetedMs
  }

  /** Asked once more only as long as the answer was yes. */
  repeats (place: Place | undefined): boolean {
    if (place === undefined || !(place.arrivedMs <= this.#greetedMs)) return false
    this.#candidates ??= this.#beginnings(place)
    const found = this.#candidates.filter((i) => isSame(this.#given[i], place))
    this.#candidates = found.map((i) => i + 1)
    return found.length > 0
  }

  #beginnings ({ epoch }: Place): number[] {
    const at = this.#at
    if (at?.epoch !== epoch) return [...this.#given.keys()]
    // It begins right after an event that the instance knows, the first of those that look like it: so with ours.
    let nearest = -1
    this.#given.forEach((place, i) => {
      if (place?.hash === at.hash && distance(place, at) < distance(this.#given[nearest], at)) nearest = i
    })
    return nearest < 0 ? [] : [nearest + 1]
  }
}

function isSame (given: Place | undefined, place: Place): boolean {
  if (given?.hash !== place.hash) return false
  return distance(given, place) <= (given.epoch === place.epoch ? 0 : SKEW_MS)
}

function distance (given: Place | undefined, place: Place): number {
  return given === undefined ? Infinity : Math.abs(given.arrivedMs - place.arrivedMs)
}

function placeOf (id: string): Place | undefined {
  const [, arrivedMs, hash, epoch] = CURSOR.exec(id) ?? []
  return hash === undefined || epoch === undefined ? undefined : { arrivedMs: Number(arrivedMs), hash, epoch }
}
