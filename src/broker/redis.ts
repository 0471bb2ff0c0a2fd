import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { Throttle } from '../log.js'
import type { Metrics } from '../metrics.js'
import { BrokerUnavailable, type Broker, type Publication, type Receiver, type Subscription } from './broker.js'
import { Probes } from './probes.js'

/** Every so often both connections are asked whether they live, and the subscription whether it delivers; in milliseconds. */
const TICK_MS = 1_500
/** When so many ticks in a row have brought nothing from the subscription's connection, it is dead: 6 s at most. */
const SILENT_TICKS = 3
/** When Redis has taken so many probes in a row and none has come back, the subscription is, whatever its connection says. */
const LOST_PROBES = 3
/** A connection for publishing on which a command has no answer for so long is dead; in milliseconds. */
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
 * publishes, and keeps values (Redis 6.2, for GETDEL). What ioredis says of its state is not trusted (DESIGN §8): the
 * subscription stands from the first message or probe that comes in by it. It is rebuilt when its connection has fallen
 * silent (a PING is not answered), when probes that Redis has taken do not come back, or when the node is no longer the
 * primary that it was. That publishing fails is no reason: what is published elsewhere still comes in.
 */
export class RedisBroker implements Broker {
  readonly name = 'redis'
  readonly #prefix: string
  readonly #pattern: string
  readonly #probeChannels: string
  readonly #probeChannel: string
  readonly #metrics: Metrics
  readonly #log: Logger
  readonly #problemLogs = { subscriber: new Throttle(5_000), publisher: new Throttle(5_000) }
  readonly #subscriber: Redis
  readonly #publisher: Redis
  #subscription: Subscription = { state: 'absent', since: performance.now(), first: true, stoodMs: 0 }
  /** Whether PSUBSCRIBE was sent on the present connection: what comes in by an earlier one proves nothing. */
  #asked = false
  /** When that was acknowledged, on the monotonic clock. */
  #acknowledgedAt: number | undefined
  #provenAt = performance.now()
  /** By what the data of the node is known at which it is subscribed: another one after a failover. */
  #dataset: string | undefined
  /** How often in a row PSUBSCRIBE was refused. */
  #refusals = 0
  #silentTicks = 0
  #lostProbes = 0
  readonly #probes = new Probes()
  #receiver: Receiver | undefined
  #ticker: NodeJS.Timeout | undefined

  constructor ({ url, channelPrefix, metrics, log }: RedisBrokerOptions) {
    this.#prefix = `${channelPrefix}:`
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

  /**
   * That a message came in proves nothing of the time before: it may have been under way for long. A probe that came back
   * proves that all that was published before it was sent has come in.
   */
  get provenAt (): number {
    return this.#provenAt
  }

  start (receiver: Receiver): void {
    this.#receiver = receiver
    this.#subscriber.on('pmessageBuffer', (_pattern: string, channelBytes: Buffer, payload: Buffer) => {
      /* c8 ignore next -- @preserve No test gets Redis to deliver in the moment between giving a connection up and its end. */
      if (!this.#asked) return
      this.#prove()
      const channel = channelBytes.toString()
      if (!channel.startsWith(this.#probeChannels)) receiver.receive(channel, payload)
      else if (channel === this.#probeChannel) this.#returned(payload)
    })
    this.#subscriber.on('connect', () => { this.#silentTicks = 0 })
    this.#subscriber.on('ready', () => { void this.#subscribe() })
    this.#subscriber.on('close', () => { this.#lose('connection closed') })
    this.#publisher.on('ready', () => { void this.#sendProbe() })
    this.#ticker = setInterval(() => { this.#tick() }, TICK_MS)
    for (const client of [this.#subscriber, this.#publisher]) {
      client.connect().catch(() => { /* Told by the 'error' event, and tried again by the client itself. */ })
    }
  }

  async publish (publications: readonly Publication[]): Promise<void> {
    if (this.#publisher.status !== 'ready') throw new BrokerUnavailable('Redis is not connected')
    const pipeline = this.#publisher.pipeline()
    for (const { channel, payload } of publications) pipeline.publish(channel, payload)
    for (const [error] of (await pipeline.exec())!) { // null is for MULTI only
      if (error === null) continue
      this.#problem('publisher', error)
      throw new BrokerUnavailable(error.message)
    }
  }

  async put (key: string, value: string, ttlMs: number): Promise<void> {
    await this.#ask(() => this.#publisher.set(this.#prefix + key, value, 'PX', ttlMs))
  }

  async take (key: string): Promise<string | undefined> {
    return await this.#ask(() => this.#publisher.getdel(this.#prefix + key)) ?? undefined
  }

  async close (): Promise<void> {
    clearInterval(this.#ticker)
    for (const client of [this.#subscriber, this.#publisher]) {
      for (const event of ['pmessageBuffer', 'connect', 'ready', 'close']) client.removeAllListeners(event)
      client.disconnect()
    }
    this.#end()
  }

  /** One command, and its answer. */
  async #ask<T> (command: () => Promise<T>): Promise<T> {
    // A client that is not connected yet would be by the first command.
    if (this.#publisher.status !== 'ready') throw new BrokerUnavailable('Redis is not connected')
    try {
      return await command()
    } catch (error) {
      this.#problem('publisher', error as Error)
      throw new BrokerUnavailable((error as Error).message)
    }
  }

  #client (url: string, role: 'subscriber' | 'publisher'): Redis {
    const client = new Redis(url, {
      connectionName: `realtime-fanout:${role}`,
      disableClientInfo: true, // The least of ACLs need not allow it.
      lazyConnect: true,
      // A resubscription of ioredis's own that fails leaves a client that says `ready` and receives nothing.
      autoResubscribe: false,
      // A command is never kept for a better time: whoever asked is told, and may ask again.
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_MS,
      disconnectTimeout: DISCONNECT_MS,
      // Of the subscription's silence this class judges itself, by ticks.
      ...(role === 'publisher' && { socketTimeout: COMMAND_SILENCE_MS }),
      // ioredis begins to count anew at each `ready`, which a refused PSUBSCRIBE comes after.
      retryStrategy: (times) => Math.min(MAX_BACK_OFF_MS, 50 * 2 ** Math.min(times + this.#refusals, 10)) * (0.5 + Math.random() / 2),
    })
    client.on('error', (error: Error) => { this.#problem(role, error) })
    return client
  }

  async #subscribe (): Promise<void> {
    this.#silentTicks = 0
    try {
      // If it was for the connection that it failed, PSUBSCRIBE will fail, too.
      const node = nodeOf(await this.#subscriber.info('replication').catch(() => ''))
      if (node.replica) throw new Error('Redis is a replica, which does not hear of all that is published')
      this.#dataset = node.dataset
      this.#asked = true
      await this.#subscriber.psubscribe(this.#pattern)
    } catch (error) {
      this.#asked = false
      this.#refusals++
      this.#problem('subscriber', error as Error)
      if (this.#subscriber.status === 'ready') this.#subscriber.disconnect(true)
      return
    }
    this.#acknowledgedAt ??= performance.now()
    await this.#sendProbe()
  }

  /** Ticks are counted, not timed: a stall of this process's own event loop is no silence of Redis. */
  #tick (): void {
    const silent = this.#silentTicks >= SILENT_TICKS
    if (silent || this.#lostProbes >= LOST_PROBES) {
      this.#giveUp(silent ? 'connection silent' : 'probes lost')
      return
    }
    this.#silentTicks++
    void this.#ping()
    void this.#sendProbe()
  }

  async #ping (): Promise<void> {
    if (this.#subscriber.status !== 'ready') return
    try {
      await this.#subscriber.ping()
      this.#silentTicks = 0
    } catch (error) {
      this.#problem('subscriber', error as Error)
    }
  }

  async #sendProbe (): Promise<void> {
    const since = this.#acknowledgedAt
    if (since === undefined || this.#publisher.status !== 'ready') return
    const number = this.#probes.send()
    const answers = await this.#publisher.pipeline().publish(this.#probeChannel, String(number)).info('replication').exec()
      /* c8 ignore next -- @preserve As far as is known, ioredis says of each command whether it failed. */
      .catch((error: Error) => [[error], [error, undefined]])
    const [[failure], [refused, info]] = answers as [[Error | null], [Error | null, unknown]]
    if (failure !== null) {
      this.#problem('publisher', failure) // And no news of the subscription.
      return
    }
    this.#lostProbes++ // Until something comes in.
    const { replica, dataset } = nodeOf(refused === null ? String(info) : '')
    const another = dataset !== undefined && this.#dataset !== undefined && dataset !== this.#dataset
    // After a failover, Redis may go on delivering what is published at one node, and not what is at the other.
    if (this.#acknowledgedAt === since && (replica || another)) {
      this.#giveUp('Redis has another primary')
      return
    }
    this.#probes.confirmed(number)
    this.#believe()
  }

  /** What came in by the probes' channel may be anybody's. */
  #returned (payload: Buffer): void {
    const tookMs = this.#probes.returned(Number(payload.toString()))
    if (tookMs === undefined) return
    this.#metrics.redisProbed(tookMs / 1_000)
    this.#believe()
  }

  #believe (): void {
    const provenAt = this.#probes.proof()
    if (provenAt !== undefined) this.#provenAt = Math.max(this.#provenAt, provenAt)
  }

  /** Something came in by the present subscription. */
  #prove (): void {
    // A message that came right behind the acknowledgement is told of before its promise is.
    this.#acknowledgedAt ??= performance.now()
    this.#silentTicks = 0
    this.#lostProbes = 0
    this.#refusals = 0
    const before = this.#subscription
    if (before.state === 'standing') return
    this.#subscription = { state: 'standing', since: performance.now() }
    if (!before.first) this.#metrics.redisReconnected()
    this.#log.info({ pattern: this.#pattern }, before.first ? 'subscribed' : 'subscribed again')
    const lostAt = this.#provenAt
    this.#provenAt = this.#acknowledgedAt
    this.#receiver!.subscribed(lostAt, this.#acknowledgedAt)
  }

  #giveUp (why: string): void {
    this.#lose(why)
    this.#silentTicks = 0
    if (['connect', 'ready'].includes(this.#subscriber.status)) this.#subscriber.disconnect(true)
  }

  #lose (why: string): void {
    this.#asked = false
    this.#acknowledgedAt = undefined
    this.#lostProbes = 0
    this.#probes.forget()
    if (this.#subscription.state === 'absent') return
    this.#end()
    this.#log.warn({ why }, 'subscription lost')
  }

  #end (): void {
    const [now, before] = [performance.now(), this.#subscription]
    this.#subscription = { state: 'absent', since: now, first: false, stoodMs: before.state === 'standing' ? now - before.since : before.stoodMs }
  }

  /** Only messages are logged, never errors whole: ioredis attaches the command to them, which may be `AUTH` with its password. */
  #problem (role: 'subscriber' | 'publisher', { message }: Error): void {
    const heldBack = this.#problemLogs[role].pass()
    if (heldBack !== undefined) this.#log.warn({ role, problem: message, heldBack }, 'Redis does not answer as it should')
  }
}

/** What INFO says of replication; of a Redis that does not say, nothing is made up. */
function nodeOf (info: string): { readonly replica: boolean, readonly dataset: string | undefined } {
  return { replica: /^role:slave/m.test(info), dataset: /^master_replid:(\w+)/m.exec(info)?.[1] }
}
