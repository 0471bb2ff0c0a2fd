import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import { Throttle } from '../log.js'
import { decode, topicLabel, type DropReason, type TopicLabel } from '../message.js'
import type { Metrics } from '../metrics.js'
import { CatchUp, type CatchUpOptions } from './catch-up.js'
import { Connection, turnAway, type CloseReason, type ConnectionOwner } from './connection.js'
import { digestOf } from './cursor.js'
import { Deadlines } from './deadlines.js'
import { paced, pause, shuffled, type Pace } from './drain.js'
import * as frame from './frame.js'
import { Heartbeat } from './heartbeat.js'
import { History, type HistoryBounds } from './history.js'
import { Registry, type NoRoom, type RegistryLimits } from './registry.js'
import type { Beginning } from './resume.js'
import { Turn } from './turn.js'

export interface HubOptions extends RegistryLimits, CatchUpOptions {
  readonly channelPrefix: string
  readonly maxMessageBytes: number
  readonly maxBufferedBytes: number
  readonly heartbeatMs: number
  /** About how long a stream lives, in milliseconds. */
  readonly maxAgeMs: number
  readonly history: HistoryBounds
  readonly log: Logger
}

/** A client whose request was answered, to be attached to the stream of its merchant. */
export interface Newcomer extends Beginning {
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
  readonly #history: History
  readonly #turn: Turn
  readonly #catchUp: CatchUp
  /** Told whose each message is that comes in, while somebody wants to know; called on the hot path. */
  onMessage: ((merchantId: string) => void) | undefined
  #drained: (() => void) | undefined
  #leaving = false
  #draining = false

  constructor (options: HubOptions) {
    this.#options = options
    this.#metrics = options.metrics
    this.#log = options.log
    this.#registry = new Registry(options)
    this.#history = new History(options.history)
    this.#turn = new Turn(this.#registry, options.metrics)
    this.#catchUp = new CatchUp(this.#history, this.#registry, this.#turn, options)
    this.#heartbeat = new Heartbeat(options.heartbeatMs, (connections) => { this.#beat(connections) })
    this.#metrics.readGauges({
      connections: () => this.#registry.size,
      connections_limit: () => options.maxConnections,
      merchants_connected: () => this.#registry.merchants,
      write_buffer_bytes: () => this.#bufferedBytes(),
      history_events: () => {
        this.#history.expire(options.clock.now())
        return this.#history.events
      },
      history_bytes: () => this.#history.bytes,
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

  /** How many connections each merchant has that has any. */
  audiences (): Iterable<readonly [merchantId: string, connections: number]> {
    return this.#registry.audiences()
  }

  /** How many connections a merchant has. */
  audienceOf (merchantId: string): number {
    return this.#registry.connectionsOf(merchantId)?.size ?? 0
  }

  /** Takes one message as the broker delivered it. Never throws. */
  receive (channel: string, payload: Buffer): void {
    const message = decode(this.#options.channelPrefix, this.#options.maxMessageBytes, channel, payload)
    if (typeof message === 'string') {
      this.#drop(message, channel, payload)
      return
    }
    this.#metrics.messageReceived(topicLabel(message.topic))
    const arrivedMs = this.#history.append(message, payload, this.#options.clock.now())
    const { merchantId, topic } = message
    this.onMessage?.(merchantId)
    if (this.#registry.connectionsOf(merchantId) === undefined) return
    if (arrivedMs === undefined) {
      this.#turn.add(message, undefined)
      return
    }
    const digest = digestOf(topic, payload)
    this.#turn.add(message, this.#history.cursorAt(merchantId, arrivedMs, digest))
    this.#catchUp.met(merchantId, digest)
  }

  /** What is published from `sinceAt` on is received; what was published after `lostAt` and before that may be missing. On the monotonic clock. */
  subscribed (lostAt: number, sinceAt: number): void {
    this.#turn.flush()
    this.#catchUp.subscribed(lostAt, sinceAt)
  }

  /** Why a stream for this merchant, or for any, cannot be opened now; `undefined` if it can. */
  refusal (merchantId?: string): Refusal | undefined {
    return this.#draining ? 'draining' : this.#registry.noRoomFor(merchantId)
  }

  /** Turns a client away in a way that EventSource comes back from (DESIGN §3). The head of the answer has been sent. */
  refuse (socket: Socket, refusal: Refusal): void {
    const retryMs = refusal === 'draining' ? ELSEWHERE_RETRY_MS : this.#options.retryMs * REFUSED_RETRY_FACTOR
    const lastWords = farewell(undefined, FAREWELLS[refusal], retryMs)
    turnAway(socket, lastWords)
    this.#metrics.bytesSent(lastWords.length)
  }

  /** Opens a stream: greets the client, sends it what it has missed, then what arrives from now on. */
  attach (newcomer: Newcomer): Connection {
    const { merchantId, filter, expiresAt, socket } = newcomer
    // What arrived earlier in this turn is the history's to replay.
    this.#turn.settle(merchantId)

    const { maxAgeMs, maxBufferedBytes } = this.#options
    const ageMs = maxAgeMs * (1 + AGE_JITTER * (2 * Math.random() - 1))
    const validMs = expiresAt === undefined ? Infinity : expiresAt - Date.now()
    const connection = new Connection({ merchantId, filter, term: validMs < ageMs ? 'token_expired' : 'max_age', socket, maxBufferedBytes, owner: this })
    this.#registry.add(connection)
    this.#heartbeat.add(connection)
    this.#deadlines.set(connection, connection.openedAt + Math.min(ageMs, validMs))
    this.#metrics.connectionOpened()
    this.#catchUp.begin(connection, newcomer)
    return connection
  }

  /** @internal a connection's socket is closed. */
  closed (connection: Connection): void {
    this.#registry.delete(connection)
    this.#heartbeat.delete(connection)
    this.#deadlines.delete(connection)
    this.#catchUp.forget(connection)
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
  tookAll (connection: Connection): void {
    this.#catchUp.goOn(connection)
  }

  /** @internal */
  handedOver (frames: readonly frame.Frame[], bytes: number): void {
    const delivered = new Map<TopicLabel, number>()
    for (const { message } of frames) {
      if (message !== undefined) delivered.set(topicLabel(message.topic), (delivered.get(topicLabel(message.topic)) ?? 0) + 1)
    }
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

  #beat (connections: ReadonlySet<Connection>): void {
    this.#catchUp.heedClock()
    const now = this.#options.clock.now()
    const byMerchant = new Map<string, Buffer>()
    let sent = 0
    for (const connection of connections) {
      const { merchantId } = connection
      let bytes = byMerchant.get(merchantId)
      if (bytes === undefined) {
        this.#turn.settle(merchantId)
        byMerchant.set(merchantId, bytes = Buffer.from(frame.heartbeat(this.#catchUp.checkpoint(merchantId), now)))
      }
      if (connection.beat(bytes)) sent += bytes.length
    }
    this.#metrics.bytesSent(sent)
  }

  /** Its term is over; or it was told so a while ago, and is still there. */
  #timeIsUp (connection: Connection): void {
    if (!connection.closing) this.#end(connection, connection.term, MOVE_RETRY_MS)
    else if (connection.hasTaken()) this.#deadlines.set(connection, performance.now() + LINGER_MS)
    else connection.destroy(connection.closeReason)
  }

  #end (connection: Connection, reason: CloseReason & frame.FarewellReason, retryMs: number): void {
    this.#turn.settle(connection.merchantId)
    // One that is held has not been sent what has arrived: it leaves with the cursor that it came with.
    const id = connection.held ? undefined : this.#catchUp.checkpoint(connection.merchantId)
    const lastWords = farewell(id, reason, Math.min(retryMs, this.#options.retryMs))
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

function farewell (id: string | undefined, reason: frame.FarewellReason, retryMs: number): Buffer {
  return Buffer.from(frame.retry(frame.jittered(retryMs)) + frame.close(id, reason, true))
}
