import { Redis } from 'ioredis'
import { Lane, type Outcome } from './lane.js'
import { within } from './within.js'

const TICK_MS = 10
/** A publisher that was held up makes up for so many milliseconds at most: it is no burst that is tested. */
const MAX_BEHIND_MS = 100
/** For so long it waits for an answer; then nobody knows what became of the event. */
const ANSWER_MS = 2_000
const SETTLE_MS = 10_000
const TYPE = 'tick'

/** Publishes at an even rate to the merchants in turn, and keeps account of it. */
export abstract class Publisher {
  readonly lanes: readonly Lane[]
  readonly #perSecond: number
  readonly #pending = new Set<Promise<void>>()
  readonly #busy = new Set<Lane>()
  #timer: NodeJS.Timeout | undefined
  #turn = 0

  /** @param overtakes see {@link Lane.overtakes}. */
  protected constructor (name: string, merchants: readonly string[], perSecond: number, overtakes: boolean) {
    this.lanes = merchants.map((merchantId) => new Lane(name, merchantId, overtakes))
    this.#perSecond = perSecond
  }

  start (): void {
    const perMs = this.#perSecond / 1_000
    let owed = 0
    let before = performance.now()
    this.#timer = setInterval(() => {
      const now = performance.now()
      owed += Math.min(now - before, MAX_BEHIND_MS) * perMs
      before = now
      for (; owed >= 1; owed--) this.#publishNext()
    }, TICK_MS)
  }

  async stop (): Promise<void> {
    clearInterval(this.#timer)
    await this.settled()
  }

  /** Resolves when the outcomes of all that has been published so far are known. */
  async settled (): Promise<void> {
    await within(SETTLE_MS, Promise.all(this.#pending), () => `the outcomes of ${this.#pending.size} events are not known`)
  }

  /** Publishes the lane's next event, and says what came of it; it never rejects. */
  protected abstract publish (lane: Lane, number: number): Promise<Outcome>

  /** Whether several events of a lane may be under way, as they cannot overtake one another. */
  protected abstract readonly pipelines: boolean

  #publishNext (): void {
    const lane = this.lanes[this.#turn++ % this.lanes.length]!
    if (this.#busy.has(lane)) return
    const number = lane.next
    if (!this.pipelines) this.#busy.add(lane)
    const pending = this.publish(lane, number).then((outcome) => {
      lane.settle(number, outcome)
      this.#busy.delete(lane)
      this.#pending.delete(pending)
    })
    this.#pending.add(pending)
  }
}

/** A backend that has a Redis connection and sends a plain PUBLISH. */
export class PlainPublisher extends Publisher {
  protected readonly pipelines = true
  readonly #redis: Redis

  constructor (redisUrl: string, merchants: readonly string[], perSecond: number) {
    super('plain', merchants, perSecond, false)
    this.#redis = new Redis(redisUrl, {
      commandTimeout: ANSWER_MS,
      // Whatever is not published at once is not published later: an event would come twice, or in another order.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => 100,
    })
    this.#redis.on('error', () => { /* Each event that is not published says so. */ })
  }

  override async stop (): Promise<void> {
    await super.stop()
    this.#redis.disconnect()
  }

  protected async publish (lane: Lane, number: number): Promise<Outcome> {
    try {
      await this.#redis.publish(`merchant:${lane.merchantId}:${TYPE}`, JSON.stringify({ type: TYPE, ...lane.announce(number) }))
      return 'published'
    } catch {
      return 'unknown'
    }
  }
}

/** How often an event is tried that instances that are ending refuse. */
const TRIES = 5

/**
 * A backend that publishes over HTTP. It sends a merchant's next event when it has the answer to the one before, or has
 * waited for long enough: the requests go to different instances, and nothing else keeps them in order.
 */
export class HttpPublisher extends Publisher {
  protected readonly pipelines = false
  readonly #url: string

  constructor (url: string, merchants: readonly string[], perSecond: number) {
    super('http', merchants, perSecond, true)
    this.#url = url
  }

  protected async publish (lane: Lane, number: number): Promise<Outcome> {
    try {
      for (let tries = 1; tries <= TRIES; tries++) {
        const answer = await fetch(`${this.#url}/api/realtime/merchants/${lane.merchantId}/events`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ type: TYPE, ...lane.announce(number) }),
          signal: AbortSignal.timeout(ANSWER_MS),
        })
        if (answer.ok) {
          await answer.arrayBuffer()
          return 'published'
        }
        const { code } = await answer.json() as { code?: string }
        if (code !== 'RTF_DRAINING') break // which says that it was not published
      }
    } catch {
      // Cut off, or not answered in time.
    }
    return 'unknown'
  }
}
