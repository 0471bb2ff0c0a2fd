/*
 * What is known of purchase orders from what was published of them. Nothing here is drawn, and nothing read or written.
 */

/** A published event, as it came. What comes by Redis has been checked by nobody. */
export interface Heard {
  readonly merchantId: string | undefined
  readonly name: string
  readonly data: Readonly<Record<string, unknown>>
  /** The JSON text. */
  readonly raw: string
  /** When, by our clock, in Unix milliseconds. */
  readonly at: number
}

export type OrderState = 'running' | 'done' | 'failed'

export interface Order {
  readonly merchantId: string | undefined
  readonly poId: string
  readonly startedAt: number
  readonly state: OrderState
  /** 0–100. */
  readonly progress: number
  readonly stage: string
  /** What was said last. */
  readonly message: string
  /** When it will be done; `undefined` where nobody has said so. */
  readonly dueAt: number | undefined
  readonly heardAt: number
}

/** What is worth a line that stays. */
export type Entry =
  | { readonly kind: 'order', readonly order: Order }
  /** An event that tells of no order. */
  | { readonly kind: 'event', readonly heard: Heard }

/** Orders that nobody says anything about any more are not kept for ever. */
const MOST_RUNNING = 1_000
/** So many that have ended are known, to tell what comes late of them from a new beginning. */
const MOST_ENDED = 1_000
const OLD_MS = 5_000

export class Board {
  readonly #running = new Map<string, Order>()
  readonly #ended = new Set<string>()
  #done = 0
  #failed = 0

  /** In the order in which they began. */
  get running (): Iterable<Order> {
    return this.#running.values()
  }

  get counts (): { readonly running: number, readonly done: number, readonly failed: number } {
    return { running: this.#running.size, done: this.#done, failed: this.#failed }
  }

  /** @returns what is worth a line that stays, if anything is. */
  take (heard: Heard): Entry | undefined {
    const { merchantId, name, data, at } = heard
    const news = newsOf(name, data)
    if (news === undefined || typeof data.poId !== 'string') return { kind: 'event', heard }
    const key = JSON.stringify([merchantId, data.poId, data.workflowId])
    // After its end, an order that begins anew says so by its progress or by a stage that starts; its last stage's end is late.
    if (this.#ended.has(key) && news.state !== 'failed' && !(news.begins ?? false)) return undefined
    this.#ended.delete(key)

    const known = this.#running.get(key) ?? { merchantId, poId: data.poId, startedAt: at, state: 'running', progress: 0, stage: '', message: '', dueAt: undefined, heardAt: at }
    const { begins: _, etaMs, ...changes } = news
    const dueAt = name === 'progress' ? etaMs === undefined ? undefined : at + etaMs : known.dueAt
    const order: Order = { ...known, ...changes, dueAt, heardAt: at }
    if (order.state === 'running') {
      this.#running.set(key, order)
      forgetBeyond(this.#running, MOST_RUNNING)
      return undefined
    }
    this.#running.delete(key)
    this.#ended.add(key)
    forgetBeyond(this.#ended, MOST_ENDED)
    if (order.state === 'done') this.#done++
    else this.#failed++
    return { kind: 'order', order }
  }
}

/**
 * When an event happened: now, if it is new. The publisher's clock may be another than ours, and so is believed only of what
 * is older than that could explain, as what is replayed is.
 */
export function happenedAt ({ timestamp }: Heard['data'], now: number): number {
  return typeof timestamp === 'number' && timestamp < now - OLD_MS ? timestamp : now
}

/** What an event changes. */
interface News extends Partial<Pick<Order, 'state' | 'progress' | 'stage' | 'message'>> {
  readonly etaMs?: number
  /** It can be the first that is heard of an order. */
  readonly begins?: boolean
}

/** `undefined` for an event of no such name, or not of its form. */
function newsOf (name: string, data: Heard['data']): News | undefined {
  const { progress, message, stage, status, error, etaMs } = data
  const said = typeof message === 'string' ? { message } : {}
  const named = typeof stage === 'string' ? { stage } : {}
  switch (name) {
    case 'progress':
      if (typeof progress !== 'number' || !(progress >= 0 && progress <= 100)) return undefined
      return { progress, ...named, ...said, ...(typeof etaMs === 'number' && etaMs >= 0 && { etaMs }), begins: progress < 100, state: progress === 100 ? 'done' : 'running' }
    case 'stage':
      return { ...named, ...said, begins: status === 'started' }
    case 'completion':
      return { ...named }
    case 'error':
      return { ...named, message: typeof error === 'string' ? error : 'failed', state: 'failed' }
    default:
      return undefined
  }
}

/** The oldest go first. */
function forgetBeyond (kept: Map<string, unknown> | Set<string>, most: number): void {
  if (kept.size > most) kept.delete(kept.keys().next().value!)
}
