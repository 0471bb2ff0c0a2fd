import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { Throttle } from '../log.js'
import type { Metrics } from '../metrics.js'
import { BrokerUnavailable, type Broker, type Publication, type Receive, type Subscription } from './broker.js'

/** Every so often a probe is published, in milliseconds. */
const PROBE_MS = 1_500
/** When so many probes in a row have brought nothing by the time the next is due, the subscription is dead: after 7.5 s at most. */
const PROBES_UNANSWERED = 4
/** A command that Redis does not answer for so long ends its connection; short enough for the probes to go on by the next, and to find the subscription alive. */
const COMMAND_SILENCE_MS = 3_000
/** A connection that is given up gets so long to say goodbye. */
const DISCONNECT_MS = 300
const CONNECT_MS = 5_000
const MAX_BACK_OFF_MS = 2_000

export interface RedisBrokerOptions {
  readonly url: string
  readonly channelPrefix: string
  readonly metrics: Metrics
  readonly log: Logger
}

/**
 * Redis by two connections, however many clients there are: one holds the one `PSUBSCRIBE <prefix>:*:*`, the other
 * publishes. What ioredis says of its state is not trusted (DESIGN §8): the subscription stands from the first message
 * or probe that comes in by it, and is rebuilt when none has come in for a while.
 */
export class RedisBroker implements Broker {
  readonly name = 'redis'
  readonly #pattern: string
  readonly #probeChannels: string
  readonly #probeChannel: string
  readonly #metrics: Metrics
  readonly #log: Logger
  readonly #problemLog = new Throttle(5_000)
  readonly #subscriber: Redis
  readonly #publisher: Redis
  #subscription: Subscription = { state: 'absent', since: performance.now(), first: true }
  #unanswered = 0
  #prober: NodeJS.Timeout | undefined

  constructor ({ url, channelPrefix, metrics, log }: RedisBrokerOptions) {
    this.#pattern = `${channelPrefix}:*:*`
    this.#probeChannels = `${channelPrefix}:_probe:`
    this.#probeChannel = this.#probeChannels + randomBytes(6).toString('hex')
    this.#metrics = metrics
    this.#log = log
    this.#subscriber = this.#client(url, 'subscriber')
    this.#publisher = this.#client(url, 'publisher')
    metrics.readGauges({
      redis_connected: () => this.#subscription.state === 'standing' ? 1 : 0,
      redis_subscription_age_seconds: () => this.#subscription.state === 'standing' ? (performance.now() - this.#subscription.since) / 1_000 : 0,
    })
  }

  get subscription (): Subscription {
    return this.#subscription
  }

  start (receive: Receive): void {
    this.#subscriber.on('pmessageBuffer', (_pattern: string, channelBytes: Buffer, payload: Buffer) => {
      this.#prove()
      const channel = channelBytes.toString()
      if (!channel.startsWith(this.#probeChannels)) receive(channel, payload)
      else if (channel === this.#probeChannel) this.#metrics.redisProbed((performance.now() - Number(payload)) / 1_000)
    })
    this.#subscriber.on('ready', () => { void this.#subscribe() })
    this.#subscriber.on('close', () => { this.#lose('connection closed') })
    this.#publisher.on('ready', () => { void this.#probe() })
    this.#prober = setInterval(() => { this.#watch() }, PROBE_MS)
    for (const client of [this.#subscriber, this.#publisher]) {
      client.connect().catch(() => { /* Told by the 'error' event, and tried again by the client itself. */ })
    }
  }

  async publish (publications: readonly Publication[]): Promise<void> {
    if (this.#publisher.status !== 'ready') throw new BrokerUnavailable('Redis is not connected')
    const pipeline = this.#publisher.pipeline()
    for (const { channel, payload } of publications) pipeline.publish(channel, payload)
    for (const [error] of (await pipeline.exec())!) { // null is for MULTI only
      if (error !== null) throw new BrokerUnavailable(error.message)
    }
  }

  async close (): Promise<void> {
    clearInterval(this.#prober)
    for (const client of [this.#subscriber, this.#publisher]) {
      client.removeAllListeners('pmessageBuffer').removeAllListeners('ready').removeAllListeners('close')
      client.disconnect()
    }
    this.#subscription = { state: 'absent', since: performance.now(), first: false }
  }

  #client (url: string, role: 'subscriber' | 'publisher'): Redis {
    const client = new Redis(url, {
      connectionName: `realtime-fanout:${role}`,
      lazyConnect: true,
      // A resubscription of ioredis's own that fails leaves a client that says `ready` and receives nothing.
      autoResubscribe: false,
      // A command is never kept for a better time: whoever asked is told, and may ask again.
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_MS,
      disconnectTimeout: DISCONNECT_MS,
      socketTimeout: COMMAND_SILENCE_MS,
      retryStrategy: (times) => Math.min(MAX_BACK_OFF_MS, 50 * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2),
    })
    client.on('error', (error: Error) => { this.#problem(role, error) })
    return client
  }

  async #subscribe (): Promise<void> {
    try {
      await this.#subscriber.psubscribe(this.#pattern)
    } catch (error) {
      this.#problem('subscriber', error as Error)
      if (this.#subscriber.status === 'ready') this.#subscriber.disconnect(true)
      return
    }
    await this.#probe()
  }

  async #probe (): Promise<void> {
    try {
      await this.publish([{ channel: this.#probeChannel, payload: String(performance.now()) }])
    } catch (error) {
      // That a probe was not published is no news of the subscription: that it does not come back is.
      this.#problem('publisher', error as Error)
    }
  }

  /** Probes are counted, not timed: a stall of this process's own event loop is no silence of Redis. */
  #watch (): void {
    if (this.#unanswered >= PROBES_UNANSWERED) {
      this.#lose('subscription silent')
      this.#unanswered = 0
      this.#subscriber.disconnect(true)
    }
    this.#unanswered++
    void this.#probe()
  }

  #prove (): void {
    this.#unanswered = 0
    const before = this.#subscription
    if (before.state === 'standing') return
    this.#subscription = { state: 'standing', since: performance.now() }
    if (!before.first) this.#metrics.redisReconnected()
    this.#log.info({ pattern: this.#pattern }, before.first ? 'subscribed' : 'subscribed again')
  }

  #lose (why: string): void {
    if (this.#subscription.state === 'absent') return
    this.#subscription = { state: 'absent', since: performance.now(), first: false }
    this.#log.warn({ why }, 'subscription lost')
  }

  /** Only messages are logged, never errors whole: ioredis attaches the command to them, which may be `AUTH` with its password. */
  #problem (role: string, { message }: Error): void {
    const heldBack = this.#problemLog.pass()
    if (heldBack !== undefined) this.#log.warn({ role, problem: message, heldBack }, 'Redis does not answer as it should')
  }
}
