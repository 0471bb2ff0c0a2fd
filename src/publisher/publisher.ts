import type { CompletionEvent, ErrorEvent, ProgressEvent, PublishableEvent, StageEvent } from '../message.js'
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
  readonly channelPrefix?: string
  /** The service's MAX_MESSAGE_BYTES. */
  readonly maxMessageBytes?: number
  /** Reject the promise of what was not published, instead of resolving it with `{ ok: false }`. */
  readonly strict?: boolean
  /** Told of all that was not published, and of what goes wrong in a workflow; a process warning at most every 10 s, if not given. */
  readonly onError?: (error: PublishError, attempt: Attempt) => void
  /** An outage is bridged for so long, and an await takes so much longer at most; in milliseconds. */
  readonly bridgeMs?: number
  /** An answer that takes longer is none, in milliseconds. */
  readonly timeoutMs?: number
  /** What waits to be sent is bounded: beyond, the oldest is given up. */
  readonly maxBufferedEvents?: number
  /** The same in UTF-16 code units of JSON, which is bytes where the text is ASCII. */
  readonly maxBufferedLength?: number
}

/** Where to: a Redis that the service is subscribed to, by the caller's own ioredis client or a URL; or the service itself. */
export type PublisherOptions = CommonOptions & (
  { readonly redis: RedisPublishClient | string, readonly http?: never } |
  { readonly http: HttpTarget, readonly redis?: never }
)

export interface PublisherCounts {
  readonly published: number
  /** Not published, for whatever reason. */
  readonly failed: number
  /** Neither yet, without what is just under way. */
  readonly waiting: number
}

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
  readonly #onError: (error: PublishError, attempt: Attempt) => void
  readonly #holding = new Set<Pace<string>>()
  #published = 0
  #failed = 0

  /** @throws PublishError `RTF_BAD_OPTION` */
  constructor (options: PublisherOptions) {
    const { strict = false, maxMessageBytes = 65_536, onError = warner() } = options
    this.#strict = strict
    this.#maxMessageBytes = positive({ maxMessageBytes })
    this.#onError = onError
    const { bridgeMs = 5_000, timeoutMs = 3_000, maxBufferedEvents = 1_000, maxBufferedLength = 8 * 2 ** 20 } = options
    if (!(bridgeMs >= 0)) throw new PublishError('RTF_BAD_OPTION', 'bridgeMs takes a number of milliseconds')
    this.#outbox = new Outbox(transportOf(options), {
      bridgeMs,
      timeoutMs: positive({ timeoutMs }),
      maxEvents: positive({ maxBufferedEvents }),
      maxLength: positive({ maxBufferedLength }),
    })
  }

  get counts (): PublisherCounts {
    return { published: this.#published, failed: this.#failed, waiting: this.#outbox.waiting }
  }

  async progress (merchantId: string, data: FieldsOf<ProgressEvent>): Promise<Published> {
    return this.publish(merchantId, { ...data, type: 'progress' })
  }

  async stage (merchantId: string, data: FieldsOf<StageEvent>): Promise<Published> {
    return this.publish(merchantId, { ...data, type: 'stage' })
  }

  async completion (merchantId: string, data: FieldsOf<CompletionEvent>): Promise<Published> {
    return this.publish(merchantId, { ...data, type: 'completion' })
  }

  async error (merchantId: string, data: FieldsOf<ErrorEvent>): Promise<Published> {
    return this.publish(merchantId, { ...data, type: 'error' })
  }

  /** An event of any type: one of the four is checked by its schema, any other has to be an object with a `type` that may name an event. */
  async publish (merchantId: string, event: PublishableEvent): Promise<Published> {
    const checked = outgoing(merchantId, event, this.#maxMessageBytes)
    const error = checked instanceof PublishError ? checked : await this.#outbox.add(checked)
    if (error !== undefined) return this.#fail(error, { merchantId, event })
    this.#published++
    return { ok: true }
  }

  /**
   * Tells the merchant how a piece of work goes, with one progress and one estimate over all of its stages.
   * @throws PublishError `RTF_BAD_OPTION` where the stages make no sense
   */
  workflow<const Stages extends readonly StageDeclaration[]> (options: WorkflowOptions<Stages>): Workflow<Stages[number]['name']> {
    return new Workflow<Stages[number]['name']>(options, {
      publish: async (event) => this.publish(options.merchantId, event),
      fail: async (error) => this.#fail(error, { merchantId: options.merchantId, event: { poId: options.poId, workflowId: options.workflowId } }),
      holding: this.#holding,
    })
  }

  /** Resolves when the fate of all that was published before is known, and of the latest progress of each workflow. */
  async flush (): Promise<void> {
    for (const pace of this.#holding) pace.flush()
    await this.#outbox.flush()
  }

  /** Sends what is waiting, within `bridgeMs`, and takes nothing more; a client that was given stays open. */
  async close (): Promise<void> {
    await this.flush()
    await this.#outbox.close()
  }

  async #fail (error: PublishError, attempt: Attempt): Promise<Published> {
    this.#failed++
    try {
      this.#onError(error, attempt)
    } catch (thrown) {
      process.emitWarning(thrown as Error) // Who is told of problems is not allowed to make one for the caller's work.
    }
    if (this.#strict) throw error
    return { ok: false, error }
  }
}

function transportOf ({ redis, http, channelPrefix = 'merchant' }: PublisherOptions): Transport {
  if (redis !== undefined && http !== undefined) throw new PublishError('RTF_BAD_OPTION', 'redis and http are two ways; take one')
  if (http !== undefined) return new HttpTransport(http)
  if (typeof redis === 'string') return new RedisUrlTransport(redis, channelPrefix)
  if (typeof redis?.publish !== 'function') throw new PublishError('RTF_BAD_OPTION', 'redis takes an ioredis client or a URL such as redis://localhost:6379')
  return new RedisTransport(redis, channelPrefix)
}

function positive (option: Record<string, number>): number {
  const [[name, value]] = Object.entries(option) as [[string, number]]
  if (!(value > 0)) throw new PublishError('RTF_BAD_OPTION', `${name} takes a number above 0`)
  return value
}

/** A process warning is seen by everybody who has not asked for something better. */
function warner (): (error: PublishError) => void {
  let silentUntil = -Infinity
  return (error) => {
    const now = performance.now()
    if (now < silentUntil) return
    silentUntil = now + WARNING_PERIOD_MS
    process.emitWarning(`not published: ${error.message}`, { type: 'PublishWarning', code: error.code })
  }
}
