import type { CompletionEvent, ErrorEvent, KnownEvent, ProgressEvent, StageEvent } from '../message.js'
import { PublishError, type Published } from './errors.js'
import { HttpTransport, type HttpTarget } from './http-transport.js'
import { Outbox } from './outbox.js'
import { outgoing } from './outgoing.js'
import type { Pace } from './pace.js'
import { RedisTransport, type RedisPublishClient } from './redis-transport.js'
import { RedisUrlTransport } from './redis-url-transport.js'
import type { Transport } from './transport.js'
import { Workflow, type StageDeclaration, type WorkflowOptions } from './workflow.js'

/** The fields of an event; its type is given by the method, and its `timestamp` stamped when absent. */
export type FieldsOf<Event extends { type: string }> = Omit<Event, 'type'> & Partial<Pick<Event, 'type'>>

/** What was not published, for `onError`. */
export interface Attempt {
  readonly merchantId: string
  readonly event: unknown
}

export interface CommonOptions {
  /** The service's CHANNEL_PREFIX. Over HTTP, the service knows it. */
  readonly channelPrefix?: string | undefined
  /** The service's MAX_MESSAGE_BYTES. */
  readonly maxMessageBytes?: number | undefined
  /** Reject the promise of what was not published, instead of resolving it with `{ ok: false }`. */
  readonly strict?: boolean | undefined
  /** Told of all that was not published, and of what goes wrong in a workflow; a process warning at most every 10 s, if not given. */
  readonly onError?: ((error: PublishError, attempt: Attempt) => void | Promise<void>) | undefined
  /** An outage is bridged for so long, in milliseconds; an await takes 500 ms longer at most, or `timeoutMs` in all, if that is more. */
  readonly bridgeMs?: number | undefined
  /** An answer that takes longer is none, in milliseconds. */
  readonly timeoutMs?: number | undefined
  /** What waits to be sent is bounded: beyond, the oldest progress is given up, or else the oldest event. */
  readonly maxBufferedEvents?: number | undefined
  readonly maxBufferedBytes?: number | undefined
}

/** Where to: a Redis that the service is subscribed to, by the caller's own ioredis client or a URL; or the service itself. */
export type PublisherOptions = CommonOptions & (
  { readonly redis: RedisPublishClient | string, readonly http?: undefined } |
  { readonly http: HttpTarget, readonly redis?: undefined }
)

export interface PublisherCounts {
  readonly published: number
  /** Events that were not, for whatever reason. */
  readonly failed: number
  /** Neither yet. */
  readonly waiting: number
}

/** What may be published as this event: one of the four as its schema has it, any other as it is. */
export type Publishable<Event extends { readonly type: string }> = Event & (Event['type'] extends KnownEvent['type'] ? Extract<KnownEvent, { type: Event['type'] }> : unknown)

const WARNING_PERIOD_MS = 10_000

/**
 * Publishes events to the clients of merchants, in the order of the calls. What is wrong is not sent; what cannot be sent
 * never breaks the caller's work: it is counted, `onError` is told, and the promise resolves with `{ ok: false, error }`
 * (or rejects, if `strict`). Each event is sent at least once: one whose answer got lost is sent again.
 */
export class MerchantPublisher {
  readonly #outbox: Outbox
  readonly #strict: boolean
  readonly #maxMessageBytes: number
  readonly #onError: (error: PublishError, attempt: Attempt) => void | Promise<void>
  readonly #holding = new Set<Pace<string>>()
  #published = 0
  #failed = 0

  /** @throws PublishError `RTF_BAD_OPTION` */
  constructor (options: PublisherOptions) {
    const { strict = false, maxMessageBytes = 65_536, onError = warner(), bridgeMs = 5_000, timeoutMs = 3_000, maxBufferedEvents = 10_000, maxBufferedBytes = 16 * 2 ** 20 } = options
    checkNumbers({ maxMessageBytes, timeoutMs, maxBufferedEvents, maxBufferedBytes }, 1)
    checkNumbers({ bridgeMs }, 0)
    this.#strict = strict
    this.#maxMessageBytes = maxMessageBytes
    this.#onError = onError
    this.#outbox = new Outbox(transportOf(options), { bridgeMs, timeoutMs, maxEvents: maxBufferedEvents, maxBytes: maxBufferedBytes })
  }

  get counts (): PublisherCounts {
    return { published: this.#published, failed: this.#failed, waiting: this.#outbox.unsettled }
  }

  async progress (merchantId: string, data: FieldsOf<ProgressEvent>): Promise<Published> {
    return this.#publish(merchantId, data, 'progress')
  }

  async stage (merchantId: string, data: FieldsOf<StageEvent>): Promise<Published> {
    return this.#publish(merchantId, data, 'stage')
  }

  async completion (merchantId: string, data: FieldsOf<CompletionEvent>): Promise<Published> {
    return this.#publish(merchantId, data, 'completion')
  }

  async error (merchantId: string, data: FieldsOf<ErrorEvent>): Promise<Published> {
    return this.#publish(merchantId, data, 'error')
  }

  /** An event of any type: one of the four is checked by its schema, any other has to be an object with a `type` that may name an event. */
  async publish<const Event extends { readonly type: string }> (merchantId: string, event: Publishable<Event>): Promise<Published> {
    return this.#publish(merchantId, event)
  }

  /**
   * Tells the merchant how a piece of work goes, with one progress and one estimate over all of its stages.
   * @throws PublishError `RTF_BAD_OPTION` where the stages make no sense
   */
  workflow<const Stages extends readonly StageDeclaration[]> (options: WorkflowOptions<Stages>): Workflow<Stages[number]['name']> {
    const { merchantId, poId, workflowId } = options
    return new Workflow<Stages[number]['name']>(options, {
      publish: async (event) => this.#publish(merchantId, event),
      refuse: async (error) => this.#refuse(error, { merchantId, event: { poId, workflowId } }),
      holding: this.#holding,
    })
  }

  /** Resolves when the fate of all that was published before is known, and of the latest progress of each workflow. */
  async flush (): Promise<void> {
    for (const pace of this.#holding) pace.flush()
    await this.#outbox.flush()
  }

  /** Takes nothing more, and sends what waits, within `bridgeMs`. A client that was given stays open. */
  async close (): Promise<void> {
    for (const pace of this.#holding) pace.flush()
    await this.#outbox.close()
  }

  async #publish (merchantId: string, event: unknown, type?: KnownEvent['type']): Promise<Published> {
    const checked = outgoing(merchantId, event, this.#maxMessageBytes, type)
    const error = checked instanceof PublishError ? checked : await this.#outbox.add(checked)
    if (error !== undefined) {
      this.#failed++
      return this.#refuse(error, { merchantId, event })
    }
    this.#published++
    return { ok: true }
  }

  async #refuse (error: PublishError, attempt: Attempt): Promise<Published> {
    void this.#tell(error, attempt)
    if (this.#strict) throw error
    return { ok: false, error }
  }

  async #tell (error: PublishError, attempt: Attempt): Promise<void> {
    try {
      await this.#onError(error, attempt)
    } catch (thrown) {
      // Who is told of problems is not allowed to make one for the caller's work.
      process.emitWarning(thrown instanceof Error ? thrown : `onError threw ${String(thrown)}`)
    }
  }
}

function transportOf ({ redis, http, channelPrefix = 'merchant' }: PublisherOptions): Transport {
  if (redis !== undefined && http !== undefined) throw new PublishError('RTF_BAD_OPTION', 'redis and http are two ways; take one')
  if (http !== undefined) return new HttpTransport(http)
  if (typeof redis === 'string') return new RedisUrlTransport(redis, channelPrefix)
  if (typeof redis?.publish !== 'function' || typeof redis.status !== 'string') throw new PublishError('RTF_BAD_OPTION', 'redis takes an ioredis client or a URL such as redis://localhost:6379')
  return new RedisTransport(redis, channelPrefix)
}

/** The most that a timer takes, which is enough for what is no time, too. */
const MAX_NUMBER = 2 ** 31 - 1

function checkNumbers (options: Record<string, unknown>, least: number): void {
  for (const [name, value] of Object.entries(options)) {
    if (!(typeof value === 'number' && value >= least && value <= MAX_NUMBER)) throw new PublishError('RTF_BAD_OPTION', `${name} takes a number from ${least} to ${MAX_NUMBER}`)
  }
}

/** A process warning is seen by everybody who has not asked for something better. */
function warner (): (error: PublishError) => void {
  let silentUntil = -Infinity
  return ({ code, message }) => {
    const now = performance.now()
    if (now < silentUntil) return
    silentUntil = now + WARNING_PERIOD_MS
    process.emitWarning(message, { type: 'PublishWarning', code })
  }
}
