import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { Throttle } from '../log.js'
import { decode, topicLabel, type DropReason, type Message } from '../message.js'
import type { Metrics } from '../metrics.js'
import { Batch, type Share } from './batch.js'
import { Connection, turnAway, type ConnectionOwner } from './connection.js'
import type { Filter } from './filter.js'
import * as frame from './frame.js'
import { Heartbeat } from './heartbeat.js'
import { Registry, type NoRoom, type RegistryLimits } from './registry.js'

export interface HubOptions extends RegistryLimits {
  readonly channelPrefix: string
  readonly maxMessageBytes: number
  readonly maxBufferedBytes: number
  readonly heartbeatMs: number
  readonly retryMs: number
  readonly metrics: Metrics
  readonly log: Logger
}

/** A client whose request was answered, to be attached to the stream of its merchant. */
export interface Newcomer {
  readonly merchantId: string
  readonly filter: Filter | undefined
  readonly socket: Socket
}

/** Why a stream is refused for now; `auth_unavailable`: it cannot be told who the client is. */
export type Refusal = 'draining' | 'auth_unavailable' | NoRoom

/** What a client is told of it. */
const FAREWELLS: Record<Refusal, frame.FarewellReason> = {
  draining: 'draining',
  auth_unavailable: 'unavailable',
  over_capacity: 'over_capacity',
  merchant_over_capacity: 'over_capacity',
}

/** How long a client that does not read may hold up the end of the service, in milliseconds. */
const LINGER_MS = 1_000
/** A refused client waits this many times longer than one that was cut off. */
const REFUSED_RETRY_FACTOR = 3
/** Publishers' timestamps that are further off tell of another clock or unit, not of latency; in seconds. */
const MAX_SANE_LATENCY_S = 600

/**
 * The heart: takes what the broker receives, and hands every merchant's messages to that merchant's connections.
 * All that one turn of the event loop brings for a merchant is encoded once, and written once per connection.
 */
export class Hub implements ConnectionOwner {
  readonly #options: HubOptions
  readonly #registry: Registry
  readonly #heartbeat: Heartbeat
  readonly #metrics: Metrics
  readonly #log: Logger
  readonly #dropLog = new Throttle(1_000)
  readonly #slowLog = new Throttle(1_000)
  readonly #pending = new Map<string, Batch>()
  #flushScheduled = false
  #drained: (() => void) | undefined
  #draining = false

  constructor (options: HubOptions) {
    this.#options = options
    this.#metrics = options.metrics
    this.#log = options.log
    this.#registry = new Registry(options)
    this.#heartbeat = new Heartbeat(options.heartbeatMs, (connections) => { this.#beat(connections) })
    this.#metrics.readGauges({
      connections: () => this.#registry.size,
      merchants_connected: () => this.#registry.merchants,
      write_buffer_bytes: () => this.#bufferedBytes(),
    })
    this.#heartbeat.start()
  }

  get draining (): boolean {
    return this.#draining
  }

  /** Takes one message as the broker delivered it. Never throws. */
  receive (channel: string, payload: Buffer): void {
    const message = decode(this.#options.channelPrefix, this.#options.maxMessageBytes, channel, payload)
    if (typeof message === 'string') {
      this.#drop(message, channel, payload)
      return
    }
    this.#metrics.messageReceived(topicLabel(message.topic))
    if (this.#registry.connectionsOf(message.merchantId) === undefined) return
    this.#batchOf(message.merchantId).add(message)
  }

  /** Why a stream for this merchant cannot be opened now; `undefined` if it can. */
  refusal (merchantId: string): Refusal | undefined {
    return this.#draining ? 'draining' : this.#registry.noRoomFor(merchantId)
  }

  /** Turns a client away in a way that EventSource comes back from (DESIGN §3). The head of the answer has been sent. */
  refuse (socket: Socket, refusal: Refusal): void {
    const lastWords = this.#farewell(FAREWELLS[refusal], this.#options.retryMs * REFUSED_RETRY_FACTOR)
    turnAway(socket, lastWords)
    this.#metrics.bytesSent(lastWords.length)
  }

  /** Opens a stream: greets the client, and sends it what arrives from now on. */
  attach ({ merchantId, filter, socket }: Newcomer): Connection {
    // What arrived earlier in this turn is not for the newcomer.
    const pending = this.#pending.get(merchantId)
    if (pending !== undefined) this.#deliver(merchantId, pending)

    const connection = new Connection({ merchantId, filter, socket, maxBufferedBytes: this.#options.maxBufferedBytes, owner: this })
    this.#registry.add(connection)
    this.#heartbeat.add(connection)
    this.#metrics.connectionOpened()
    const greeting = Buffer.from(frame.retry(frame.jittered(this.#options.retryMs)) + frame.connected(merchantId, Date.now()))
    connection.write(greeting)
    this.#metrics.bytesSent(greeting.length)
    return connection
  }

  /** @internal a connection's socket is closed. */
  closed (connection: Connection): void {
    this.#registry.delete(connection)
    this.#heartbeat.delete(connection)
    const { merchantId, closeReason: reason } = connection
    const seconds = Math.round(performance.now() - connection.openedAt) / 1_000
    this.#metrics.connectionClosed(reason, seconds)
    this.#log.debug({ merchantId, reason, seconds }, 'stream closed')
    const heldBack = reason === 'slow_consumer' ? this.#slowLog.pass() : undefined
    if (heldBack !== undefined) this.#log.warn({ merchantId, seconds, heldBack }, 'a client did not read, and was cut off')
    if (this.#registry.size === 0) this.#drained?.()
  }

  /** To be called once. Tells every client to come back elsewhere, and resolves when all have gone, by force where one does not read. */
  async close (): Promise<void> {
    this.#draining = true
    this.#heartbeat.stop()
    this.#flush()
    if (this.#registry.size === 0) return
    const drained = new Promise<void>((resolve) => { this.#drained = resolve })
    for (const connection of this.#registry) {
      const lastWords = this.#farewell('draining', this.#options.retryMs)
      connection.end('draining', lastWords)
      this.#metrics.bytesSent(lastWords.length)
    }
    const linger = setTimeout(() => {
      for (const connection of this.#registry) connection.destroy('draining')
    }, LINGER_MS)
    await drained
    clearTimeout(linger)
  }

  #batchOf (merchantId: string): Batch {
    const pending = this.#pending.get(merchantId)
    if (pending !== undefined) return pending
    const batch = new Batch()
    this.#pending.set(merchantId, batch)
    if (!this.#flushScheduled) {
      this.#flushScheduled = true
      setImmediate(() => { this.#flush() })
    }
    return batch
  }

  #flush (): void {
    this.#flushScheduled = false
    if (this.#pending.size === 0) return
    const startedAt = performance.now()
    for (const [merchantId, batch] of this.#pending) this.#deliver(merchantId, batch)
    this.#metrics.flushed((performance.now() - startedAt) / 1_000)
  }

  #deliver (merchantId: string, batch: Batch): void {
    this.#pending.delete(merchantId)
    let whole: Share | undefined
    for (const connection of this.#registry.connectionsOf(merchantId) ?? []) {
      const share = connection.filter === undefined ? (whole ??= batch.share(undefined)) : batch.share(connection.filter)
      if (share.bytes.length > 0 && connection.write(share.bytes)) share.recipients++
    }
    for (const { bytes, recipients } of batch.shares) this.#metrics.bytesSent(bytes.length * recipients)
    const now = Date.now()
    for (const message of batch.messages) {
      this.#metrics.fannedOut(topicLabel(message.topic), batch.recipientsOf(message), latencyOf(message, now))
    }
  }

  #beat (connections: ReadonlySet<Connection>): void {
    const bytes = Buffer.from(frame.heartbeat(Date.now()))
    let sent = 0
    for (const connection of connections) {
      if (connection.write(bytes)) sent++
    }
    this.#metrics.bytesSent(bytes.length * sent)
  }

  #drop (reason: DropReason, channel: string, payload: Buffer): void {
    this.#metrics.messageDropped(reason)
    const heldBack = this.#dropLog.pass()
    if (heldBack === undefined) return
    this.#log.warn({ reason, channel: channel.slice(0, 256), bytes: payload.length, heldBack }, 'message dropped')
  }

  #farewell (reason: frame.FarewellReason, retryMs: number): Buffer {
    return Buffer.from(frame.retry(frame.jittered(retryMs)) + frame.close(reason, true))
  }

  #bufferedBytes (): number {
    let bytes = 0
    for (const connection of this.#registry) bytes += connection.bufferedBytes
    return bytes
  }
}

/** From the publisher's timestamp to now, in seconds; `undefined` where there is none to be believed. */
function latencyOf ({ timestamp }: Message, now: number): number | undefined {
  if (timestamp === undefined) return undefined
  const seconds = (now - timestamp) / 1_000
  return seconds >= 0 && seconds <= MAX_SANE_LATENCY_S ? seconds : undefined
}
