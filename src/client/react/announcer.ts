import type { ConnectionState, GapEvent } from '../events.js'
import type { Order, OrderStatus } from './orders.js'
import type { FeedbackTexts } from './texts.js'

/** What is seen for less is not said, as an order that is done for a moment between two stages; nor more often than that. */
const SETTLE_MS = 1_000
/** A connection that is lost for less is nobody's business. */
const LOST_MS = 5_000
/** What was said is taken back after that, or the same said again would not be heard. */
const SAID_MS = 5_000
/** So many orders are called by name; more are counted. */
const MAX_NAMED = 3

export interface Scene {
  readonly orders: Iterable<Order>
  readonly state: ConnectionState
  /** The last one. */
  readonly gap: GapEvent | undefined
  readonly texts: FeedbackTexts
}

/** What one who cannot see the orders is told: which of them are completed or have failed, that events may be missing, and that the connection is gone. */
export class Announcer {
  readonly #say: (text: string) => void
  #scene: Scene | undefined
  /** How those have ended of which that is no news, by purchase order. */
  #known: ReadonlyMap<string, OrderStatus> | undefined
  /** The gap that is no news. */
  #gap: GapEvent | undefined
  #connection: 'lost' | 'given_up' | 'restored' = 'restored'
  #lostAt: number | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #due = Infinity
  #clearing: ReturnType<typeof setTimeout> | undefined

  /** @param say has it read out; nothing, after a while. */
  constructor (say: (text: string) => void) {
    this.#say = say
  }

  /** What there is to see now. What is there at the first time is no news. */
  look (scene: Scene): void {
    this.#scene = scene
    const ended = endedOf(scene.orders)
    if (this.#known === undefined) this.#gap = scene.gap
    // What goes on may end once more.
    this.#known = this.#known === undefined ? ended : new Map([...this.#known].filter(([poId]) => ended.has(poId)))
    this.#lostAt = scene.state === 'open' ? undefined : this.#lostAt ?? Date.now()
    if (this.#news(scene).length > 0) this.#wake(SETTLE_MS)
    if (connectionOf(scene.state) !== this.#connection) this.#wake(scene.state === 'open' ? SETTLE_MS : LOST_MS)
  }

  /** Says nothing more, until it looks again. */
  stop (): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#clearing)
    this.#due = Infinity
    this.#lostAt = undefined
  }

  #wake (ms: number): void {
    const due = Date.now() + ms
    if (due >= this.#due) return
    clearTimeout(this.#timer)
    this.#due = due
    this.#timer = setTimeout(() => { this.#speak() }, ms)
  }

  #speak (): void {
    this.#due = Infinity
    const scene = this.#scene!
    const { orders, state, texts } = scene
    const said = this.#news(scene)
    this.#known = endedOf(orders)
    this.#gap = scene.gap
    const connection = connectionOf(state)
    const lostMs = this.#lostAt === undefined ? Infinity : Date.now() - this.#lostAt
    if (connection !== this.#connection) {
      if (lostMs >= LOST_MS) {
        this.#connection = connection
        said.push(texts.announceConnection[connection])
      } else {
        this.#wake(LOST_MS - lostMs)
      }
    }
    if (said.length === 0) return
    this.#say(said.join(' '))
    clearTimeout(this.#clearing)
    this.#clearing = setTimeout(() => { this.#say('') }, SAID_MS)
  }

  #news ({ orders, gap, texts }: Scene): string[] {
    const changed = [...orders].filter(({ poId, status }) => this.#known?.get(poId) !== status)
    const done = changed.filter(({ status }) => status === 'done')
    const failed = changed.filter(({ status }) => status === 'failed')
    return [
      ...(failed.length > MAX_NAMED ? [texts.announceManyFailed(failed.length)] : failed.map((order) => texts.announceFailed(texts.order(order), order.error!))),
      ...(done.length > MAX_NAMED ? [texts.announceManyDone(done.length)] : done.map((order) => texts.announceDone(texts.order(order)))),
      ...(gap !== undefined && gap !== this.#gap ? [texts.missed] : []),
    ]
  }
}

function endedOf (orders: Iterable<Order>): ReadonlyMap<string, OrderStatus> {
  return new Map([...orders].filter(({ status }) => status !== 'active').map(({ poId, status }) => [poId, status]))
}

function connectionOf (state: ConnectionState): 'lost' | 'given_up' | 'restored' {
  return state === 'open' ? 'restored' : state === 'closed' ? 'given_up' : 'lost'
}
