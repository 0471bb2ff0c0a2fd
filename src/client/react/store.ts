import { createRealtimeClient, type RealtimeClient, type RealtimeOptions } from '../client.js'
import type { RealtimeError } from '../errors.js'
import type { ConnectionState, GapEvent, PublishedEvents, UnknownEvent } from '../events.js'
import { Listeners } from '../listeners.js'
import { Clock } from './clock.js'
import { Frame } from './frame.js'
import { Orders, type Order } from './orders.js'

/** Published events; of names that no type is known for, too, if there are such. `type` is the name. */
export type RealtimeEvent<Events = PublishedEvents> = Events[keyof Events]

/** Told of each event as it comes, even where several come in one frame. */
export interface RealtimeCallbacks<Events = PublishedEvents> {
  readonly onEvent?: ((event: RealtimeEvent<Events>) => void) | undefined
  /** Events may be missing: what was fetched before is to be fetched anew. */
  readonly onGap?: ((gap: GapEvent) => void) | undefined
}

/** What there is to show. Immutable: what has changed is another object, what has not is the same. */
export interface Snapshot {
  readonly state: ConnectionState
  /** Why there is no connection; `undefined` while there is one. */
  readonly error: RealtimeError | undefined
  /** The newest first, at most 100. */
  readonly events: readonly RealtimeEvent[]
  /** The newest first, at most 100. */
  readonly gaps: readonly GapEvent[]
  readonly orders: ReadonlyMap<string, Order>
}

const MAX_EVENTS = 100

/**
 * One client, and what came by it, in a form that React can show. What comes is taken in at once, bounded; it is shown
 * with the next frame. Its functions need no `this`.
 */
export class RealtimeStore {
  /** For all who count down what it tells of. */
  readonly clock = new Clock()
  readonly #options: RealtimeOptions
  readonly #watchers = new Listeners<[]>()
  readonly #listeners = new Listeners<[kind: 'event', event: RealtimeEvent] | [kind: 'gap', gap: GapEvent]>()
  readonly #frame = new Frame(() => { this.#show() })
  readonly #orders = new Orders()
  #client: RealtimeClient | undefined
  #trouble: RealtimeError | undefined
  readonly #events = new Newest<RealtimeEvent>(MAX_EVENTS)
  readonly #gaps = new Newest<GapEvent>(MAX_EVENTS)
  readonly #blank: Snapshot = { state: 'connecting', error: undefined, events: this.#events.all, gaps: this.#gaps.all, orders: this.#orders.all }
  #snapshot = this.#blank

  constructor (options: RealtimeOptions) {
    this.#options = options
  }

  /**
   * Connects; where it did before, it goes on from there.
   * @returns what ends the connection.
   * @throws {TypeError} for options that cannot work.
   */
  open (): () => void {
    if (this.#client === undefined) this.#client = this.#connect()
    else this.#client.reconnect()
    return () => {
      this.#client?.close()
      this.#frame.cancel()
    }
  }

  readonly snapshot = (): Snapshot => this.#snapshot

  /** Before anything is known; and all that is known where a page is rendered on a server. */
  readonly blank = (): Snapshot => this.#blank

  /**
   * Has a function called after each change of the snapshot: at most once per frame.
   * @returns what ends that.
   */
  readonly subscribe = (watcher: () => void): (() => void) => this.#watchers.add(watcher)

  /** @returns what ends that. */
  listen ({ onEvent, onGap }: Required<RealtimeCallbacks>): () => void {
    return this.#listeners.add((...[kind, told]) => {
      if (kind === 'event') onEvent?.(told)
      else onGap?.(told)
    })
  }

  readonly reconnect = (): void => { this.#client?.reconnect() }

  /** Forgets events and gaps; what they said of orders stays. */
  readonly clearEvents = (): void => {
    this.#events.clear()
    this.#gaps.clear()
    this.#frame.request()
  }

  /** Forgets an order, until it is heard of again. */
  readonly forget = (poId: string): void => {
    this.#orders.forget(poId)
    this.#frame.request()
  }

  #connect (): RealtimeClient {
    const client = createRealtimeClient(this.#options)
    client.subscribe(() => {
      if (client.state === 'open') this.#trouble = undefined
      this.#frame.request()
    })
    client.on('connection_error', (error) => {
      this.#trouble = error
      this.#frame.request()
    })
    client.on('*', (data, { name }) => { this.#receive(name, data) })
    client.on('gap', (gap) => {
      this.#gaps.add(gap)
      this.#orders.missed()
      this.#frame.request()
      this.#listeners.tell('gap', gap)
    })
    return client
  }

  #receive (name: string, data: RealtimeEvent | UnknownEvent): void {
    const event = (data.type === name ? data : { ...data, type: name }) as RealtimeEvent
    this.#events.add(event)
    this.#orders.receive(name, event, Date.now())
    this.#frame.request()
    this.#listeners.tell('event', event)
  }

  #show (): void {
    const before = this.#snapshot
    const { state, error = this.#trouble } = this.#client ?? this.#blank
    const next: Snapshot = { state, error, events: this.#events.all, gaps: this.#gaps.all, orders: this.#orders.all }
    if (Object.keys(next).every((key) => next[key as keyof Snapshot] === before[key as keyof Snapshot])) return
    this.#snapshot = next
    this.#watchers.tell()
  }
}

/** The last things of many. */
class Newest<T> {
  readonly #max: number
  /** The newest last, and twice as many as wanted at most, so that few have to be moved. */
  #kept: T[] = []
  #all: readonly T[] | undefined

  constructor (max: number) {
    this.#max = max
  }

  /** The newest first; the same array as long as nothing has changed. */
  get all (): readonly T[] {
    this.#all ??= this.#kept.slice(-this.#max).reverse()
    return this.#all
  }

  add (thing: T): void {
    this.#all = undefined
    if (this.#kept.push(thing) >= 2 * this.#max) this.#kept = this.#kept.slice(-this.#max)
  }

  clear (): void {
    if (this.#kept.length > 0) this.#all = undefined
    this.#kept = []
  }
}
