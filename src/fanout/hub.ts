import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { Throttle } from '../log.js'
import { decode, topicLabel, type DropReason, type Message, type TopicLabel } from '../message.js'
import type { Metrics } from '../metrics.js'
import { Batch, type Share } from './batch.js'
import { Connection, turnAway, type CloseReason, type ConnectionOwner } from './connection.js'
import { Deadlines } from './deadlines.js'
import { paced, pause, shuffled, type Pace } from './drain.js'
import type { Filter } from './filter.js'
import * as frame from './frame.js'
import { Heartbeat } from './heartbeat.js'
import { Registry, type NoRoom, type RegistryLimits } from './registry.js'

export interface HubOptions extends RegistryLimits {
  readonly channelPrefix: string
  readonly maxMessageBytes: number
  readonly maxBufferedBytes: number
  readonly heartbeatMs: number
  /** About how long a stream lives, in milliseconds. */
  readonly maxAgeMs: number
  readonly retryMs: number
  readonly metrics: Metrics
  readonly log: Logger
}

/** A client whose request was answered, to be attached to the stream of its merchant. */
export interface Newcomer {
  readonly merchantId: string
  readonly filter: Filter | undefined
  /** When its credential runs out, in Unix milliseconds. */
  readonly expiresAt?: number | undefined
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

export interface Drain extends Pace {
  /** How long all goes on as before, in milliseconds: until whoever sends clients here has seen that it is not ready. */
  readonly delayMs: number
}

/** A client that was told that its stream ends, and takes nothing of what it is owed for so long, is cut off, in milliseconds. */
const LINGER_MS = 1_000
/** However slowly clients read, they do not hold up the end of the service for longer. */
const LAST_CALL_MS = 5_000
/** A stream lives this share of its age more or less, so that those that were opened together do not end together. */
const AGE_JITTER = 0.1
/** A client that is sent elsewhere, alone or among few, need not wait for longer, in milliseconds. */
const MOVE_RETRY_MS = 1_000
/** One that came too late to an instance that is draining will reach another one. */
const ELSEWHERE_RETRY_MS = 500
/** A client that is refused for want of something waits this many times longer than one that was cut off. */
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
  readonly #deadlines: Deadlines
  readonly #metrics: Metrics
  readonly #log: Logger
  readonly #dropLog = new Throttle(1_000)
  readonly #slowLog = new Throttle(1_000)
  readonly #pending = new Map<string, Batch>()
  #flushScheduled = false
  #drained: (() => void) | undefined
  #leaving = false
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
    this.#deadlines = new Deadlines((connection) => { this.#timeIsUp(connection) })
    this.#deadlines.start()
  }

  /** Whether it is to end: nobody new should be sent here, though all are still served. */
  get leaving (): boolean {
    return this.#leaving
  }

  /** Whether streams are being ended, and no new ones opened. */
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

  /** Why a stream for this merchant, or for any, cannot be opened now; `undefined` if it can. */
  refusal (merchantId?: string): Refusal | undefined {
    return this.#draining ? 'draining' : this.#registry.noRoomFor(merchantId)
  }

  /** Turns a client away in a way that EventSource comes back from (DESIGN §3). The head of the answer has been sent. */
  refuse (socket: Socket, refusal: Refusal): void {
    const retryMs = refusal === 'draining' ? ELSEWHERE_RETRY_MS : this.#options.retryMs * REFUSED_RETRY_FACTOR
    const lastWords = farewell(FAREWELLS[refusal], retryMs)
    turnAway(socket, lastWords)
    this.#metrics.bytesSent(lastWords.length)
  }

  /** Opens a stream: greets the client, and sends it what arrives from now on. */
  attach ({ merchantId, filter, expiresAt, socket }: Newcomer): Connection {
    // What arrived earlier in this turn is not for the newcomer.
    const pending = this.#pending.get(merchantId)
    if (pending !== undefined) this.#deliver(merchantId, pending)

    const { maxAgeMs, maxBufferedBytes, retryMs } = this.#options
    const ageMs = maxAgeMs * (1 + AGE_JITTER * (2 * Math.random() - 1))
    const validMs = expiresAt === undefined ? Infinity : expiresAt - Date.now()
    const connection = new Connection({ merchantId, filter, term: validMs < ageMs ? 'token_expired' : 'max_age', socket, maxBufferedBytes, owner: this })
    this.#registry.add(connection)
    this.#heartbeat.add(connection)
    this.#deadlines.set(connection, connection.openedAt + Math.min(ageMs, validMs))
    this.#metrics.connectionOpened()
    const greeting = Buffer.from(frame.retry(frame.jittered(retryMs)) + frame.connected(merchantId, Date.now()))
    connection.greet(greeting)
    this.#metrics.bytesSent(greeting.length)
    return connection
  }

  /** @internal a connection's socket is closed. */
  closed (connection: Connection): void {
    this.#registry.delete(connection)
    this.#heartbeat.delete(connection)
    this.#deadlines.delete(connection)
    const { merchantId, closeReason: reason } = connection
    const seconds = Math.round(performance.now() - connection.openedAt) / 1_000
    this.#metrics.connectionClosed(reason, seconds)
    this.#log.debug({ merchantId, reason, seconds }, 'stream closed')
    const heldBack = reason === 'slow_consumer' ? this.#slowLog.pass() : undefined
    if (heldBack !== undefined) this.#log.warn({ merchantId, seconds, heldBack }, 'a client did not read, and was cut off')
    if (this.#registry.size === 0) this.#drained?.()
  }

  /** @internal */
  conflated (events: number): void {
    this.#metrics.eventsConflated(events)
  }

  /** @internal */
  caughtUp (frames: readonly frame.EventFrame[], bytes: number): void {
    const delivered = new Map<TopicLabel, number>()
    for (const { message: { topic } } of frames) delivered.set(topicLabel(topic), (delivered.get(topicLabel(topic)) ?? 0) + 1)
    for (const [topic, count] of delivered) this.#metrics.eventsDelivered(topic, count)
    this.#metrics.bytesSent(bytes)
  }

  /**
   * To be called once. Goes on as before for a while, then tells one client after another to come back elsewhere, and
   * resolves when all have gone, by force where one does not read.
   */
  async drain ({ delayMs, windowMs, hurry }: Drain): Promise<void> {
    this.#leaving = true
    await pause(delayMs, hurry)
    this.#draining = true
    this.#flush()
    const drained = new Promise<void>((resolve) => { this.#drained = resolve })
    await paced(shuffled(this.#registry), { windowMs, hurry }, (connection) => {
      this.#end(connection, 'draining', hurry.aborted ? this.#options.retryMs : MOVE_RETRY_MS)
    })
    const lastCall = setTimeout(() => {
      for (const connection of this.#registry) connection.destroy('draining')
    }, LAST_CALL_MS)
    if (this.#registry.size > 0) await drained
    clearTimeout(lastCall)
    this.#heartbeat.stop()
    this.#deadlines.stop()
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
      if (share.frames.length > 0 && connection.deliver(share)) share.recipients++
    }
    for (const share of batch.shares) {
      if (share.recipients > 0) this.#metrics.bytesSent(share.bytes.length * share.recipients)
    }
    const now = Date.now()
    for (const { message } of batch.frames) {
      this.#metrics.fannedOut(topicLabel(message.topic), batch.recipientsOf(message), latencyOf(message, now))
    }
  }

  #beat (connections: ReadonlySet<Connection>): void {
    const bytes = Buffer.from(frame.heartbeat(Date.now()))
    let sent = 0
    for (const connection of connections) {
      if (connection.beat(bytes)) sent++
    }
    this.#metrics.bytesSent(bytes.length * sent)
  }

  /** Its term is over; or it was told so a while ago, and is still there. */
  #timeIsUp (connection: Connection): void {
    if (!connection.closing) this.#end(connection, connection.term, MOVE_RETRY_MS)
    else if (connection.hasTaken()) this.#deadlines.set(connection, performance.now() + LINGER_MS)
    else connection.destroy(connection.closeReason)
  }

  #end (connection: Connection, reason: CloseReason & frame.FarewellReason, retryMs: number): void {
    const lastWords = farewell(reason, Math.min(retryMs, this.#options.retryMs))
    if (!connection.end(reason, lastWords)) return
    this.#metrics.bytesSent(lastWords.length)
    this.#deadlines.set(connection, performance.now() + LINGER_MS)
  }

  #drop (reason: DropReason, channel: string, payload: Buffer): void {
    this.#metrics.messageDropped(reason)
    const heldBack = this.#dropLog.pass()
    if (heldBack === undefined) return
    this.#log.warn({ reason, channel: channel.slice(0, 256), bytes: payload.length, heldBack }, 'message dropped')
  }

  #bufferedBytes (): number {
    let bytes = 0
    for (const connection of this.#registry) bytes += connection.bufferedBytes
    return bytes
  }
}

function farewell (reason: frame.FarewellReason, retryMs: number): Buffer {
  return Buffer.from(frame.retry(frame.jittered(retryMs)) + frame.close(reason, true))
}

/** From the publisher's timestamp to now, in seconds; `undefined` where there is none to be believed. */
function latencyOf ({ timestamp }: Message, now: number): number | undefined {
  if (timestamp === undefined) return undefined
  const seconds = (now - timestamp) / 1_000
  return seconds >= 0 && seconds <= MAX_SANE_LATENCY_S ? seconds : undefined
}
