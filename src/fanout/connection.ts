import type { Socket } from 'node:net'
import { Backlog } from './backlog.js'
import type { Share } from './batch.js'
import type { Filter } from './filter.js'
import { join, type Frame } from './frame.js'

/** Why a stream ended; the closed set of `connections_closed_total{reason}`. */
export const CLOSE_REASONS = ['client_gone', 'slow_consumer', 'draining', 'max_age', 'token_expired'] as const
export type CloseReason = typeof CLOSE_REASONS[number]

/** Why a stream ends by itself, at a time that is known when it opens. */
export type Term = Extract<CloseReason, 'max_age' | 'token_expired'>

/** Who is told of what happens to a connection. */
export interface ConnectionOwner {
  /** Once, when its socket is closed, whoever closed it. */
  closed (connection: Connection): void
  /** So many events of what it is owed are owed no longer, as later ones say the same. */
  conflated (events: number): void
  /** It was handed, in so many bytes, what it had been told or been owed. */
  handedOver (frames: readonly Frame[], bytes: number): void
  /** The kernel has taken all that it was owed: it lags no longer. */
  tookAll (connection: Connection): void
}

export interface ConnectionOptions {
  readonly merchantId: string
  /** The topics wanted; `undefined` for all. */
  readonly filter: Filter | undefined
  /** What ends it when its time is up. */
  readonly term: Term
  /** A socket that is past its HTTP head and used by nobody else; the connection owns it from here on. */
  readonly socket: Socket
  readonly maxBufferedBytes: number
  readonly owner: ConnectionOwner
}

/** A client that is turned away and does not read its last words is cut off after this, in milliseconds. */
const TURN_AWAY_MS = 5_000
/** What is owed becomes bytes in portions of so many, so that the rest can still be superseded. */
const PORTION_BYTES = 65_536

/** Writes last words to a client that is given no connection, and closes the socket. */
export function turnAway (socket: Socket, lastWords: Buffer): void {
  const tired = setTimeout(() => { socket.destroy() }, TURN_AWAY_MS)
  socket.on('error', onError).on('close', () => { clearTimeout(tired) })
  socket.resume()
  socket.write(lastWords)
  socket.destroySoon()
}

const CONNECTION = Symbol('connection')
type HeldSocket = Socket & { [CONNECTION]?: Connection }

/**
 * One SSE client: the writing end of a stream. While the kernel takes all at once, shared bytes go straight to the
 * socket. From the first write that it does not take whole until it has taken all, the client lags: it is owed
 * references to shared frames, of which later ones may supersede earlier ones, up to a bound.
 */
export class Connection {
  readonly merchantId: string
  readonly filter: Filter | undefined
  readonly term: Term
  /** On the monotonic clock, in milliseconds. */
  readonly openedAt = performance.now()
  /** Where the heartbeat keeps it. */
  heartbeatSlot = 0
  /** Where the deadlines keep it. */
  deadlineSlot: number | undefined
  readonly #socket: Socket
  readonly #maxBufferedBytes: number
  readonly #owner: ConnectionOwner
  #closing: CloseReason | undefined
  /** What the client is owed while it lags. */
  #backlog: Backlog | undefined
  /** Bytes that the kernel was given and has not taken yet, as far as is known: no fewer than there are. */
  #inFlight = 0
  /** The last block, once it is ending. */
  #farewell: Buffer | undefined
  #owedBefore = 0
  #held = false

  constructor ({ merchantId, filter, term, socket, maxBufferedBytes, owner }: ConnectionOptions) {
    this.merchantId = merchantId
    this.filter = filter
    this.term = term
    this.#socket = socket
    this.#maxBufferedBytes = maxBufferedBytes
    this.#owner = owner
    // The listeners are shared by all connections and find theirs on the socket: closures of its own would cost each
    // idle connection some hundred bytes.
    const held: HeldSocket = socket
    held[CONNECTION] = this
    socket.on('close', onClose).on('end', onEnd).on('error', onError)
    socket.resume() // What a client still sends is of no interest; its end is.
    // Behind an earlier answer on the same connection, which nothing may overtake.
    if (socket.writableLength > 0) this.#lag(0)
  }

  /** Why it was closed; `client_gone` unless this side began. */
  get closeReason (): CloseReason {
    return this.#closing ?? 'client_gone'
  }

  /** Whether this side has begun to close it. */
  get closing (): boolean {
    return this.#closing !== undefined
  }

  /** Bytes that the client is owed, no fewer than there are: with the kernel, or for later. */
  get bufferedBytes (): number {
    return this.#inFlight + this.#socket.writableLength + (this.#backlog?.bytes ?? 0)
  }

  /** Takes what one turn brought, and says whether it was handed over at once; if not, it may be owed. */
  deliver (share: Share): boolean {
    if (this.#closing !== undefined || this.#held) return false
    if (this.#backlog === undefined) {
      this.#send(share.bytes)
      return true
    }
    if (this.#isPatient()) {
      let conflated = 0
      for (const frame of share.frames) if (this.#backlog.add(frame)) conflated++
      if (conflated > 0) this.#owner.conflated(conflated)
    }
    return false
  }

  /** Whether it is owed something. */
  get lagging (): boolean {
    return this.#backlog !== undefined
  }

  /** Sends all of these, in order, however far the client is behind. Not to be called once it is closing. */
  tell (frames: readonly Frame[]): void {
    const owed = this.#backlog
    const backlog = this.#backlog ??= new Backlog()
    for (const frame of frames) backlog.append(frame)
    if (owed === undefined) this.#pay(backlog)
  }

  /** Whether it is delivered nothing, and gets no sign of life, because something else is to come first. */
  get held (): boolean {
    return this.#held
  }

  hold (): void {
    this.#held = true
  }

  release (): void {
    this.#held = false
  }

  /** Sends a sign of life, and says whether it did: a client that lags has enough to read. */
  beat (heartbeat: Buffer): boolean {
    if (this.#closing !== undefined || this.#held) return false
    if (this.#backlog !== undefined) {
      this.#isPatient()
      return false
    }
    this.#send(heartbeat)
    return true
  }

  /**
   * Has a last block follow all that is owed, and the socket closed once all is sent: never, if the client does not
   * read. Says whether it will: not where it is closing already.
   */
  end (reason: CloseReason, farewell: Buffer): boolean {
    if (this.#closing !== undefined || this.#socket.destroyed) return false
    this.#closing = reason
    this.#farewell = farewell
    this.#owedBefore = this.bufferedBytes
    if (this.#backlog === undefined) this.#finish()
    return true
  }

  /** Whether a client whose stream ends has taken any of what it is owed since it began to end, or this was last asked. */
  hasTaken (): boolean {
    const before = this.#owedBefore
    this.#owedBefore = this.bufferedBytes
    return this.#owedBefore < before
  }

  /** Closes the socket at once; what is unsent is lost, and an incomplete block at the end is the client's to ignore. */
  destroy (reason: CloseReason): void {
    this.#closing ??= reason
    this.#socket.destroy()
  }

  /** @internal called by the socket's listener, once. */
  handleClose (): void {
    this.#owner.closed(this)
  }

  /**
   * Goes past the bookkeeping of stream.Writable, straight to what it would call itself: 1.31 µs of user CPU each
   * against 1.74, the means of four alternating pairs of runs of the benchmark's `broadcast`. Order is kept, as libuv
   * has one queue for both ways.
   */
  #send (bytes: Buffer): void {
    allTaken = false
    this.#socket._write(bytes, 'buffer' as BufferEncoding, onTaken) // What stream.Writable says for bytes, too.
    if (!allTaken) this.#lag(bytes.length)
  }

  /** From now on the client is owed what comes, until the kernel has taken so many bytes. */
  #lag (inFlight: number): void {
    this.#backlog ??= new Backlog()
    this.#inFlight = inFlight
    // Nothing, behind all that the kernel was given before: it is taken when that is.
    this.#socket.write('', (error) => {
      this.#inFlight = 0
      if (error !== undefined && error !== null) return
      this.#pay(this.#backlog!)
      if (this.#backlog === undefined) this.#owner.tookAll(this)
    })
  }

  /** Sends what is owed until the kernel does not take it all. */
  #pay (backlog: Backlog): void {
    while (this.#inFlight === 0 && !backlog.empty) {
      const frames = backlog.take(PORTION_BYTES)
      const bytes = join(frames)
      this.#send(bytes)
      this.#owner.handedOver(frames, bytes.length)
    }
    if (this.#inFlight > 0) return
    this.#backlog = undefined
    if (this.#farewell !== undefined) this.#finish()
  }

  #finish (): void {
    this.#socket.write(this.#farewell!)
    this.#socket.destroySoon()
  }

  /**
   * Whether a client that lags may be owed more. If not, it is cut off. The bound is looked at before more is owed and
   * not after, or one turn that brings more than it would cut off a client that needed a moment only.
   */
  #isPatient (): boolean {
    if (this.#backlog!.bytes <= this.#maxBufferedBytes) return true
    this.destroy('slow_consumer')
    return false
  }
}

/** Whether the write just made was taken by the kernel within the call. */
let allTaken = false

/** Called within `_write` if all was taken, else later. Of a write that fails, reading tells too: with 'close'. */
function onTaken (error?: Error | null): void {
  allTaken = error === undefined || error === null
}

function onClose (this: HeldSocket): void {
  this[CONNECTION]?.handleClose()
}

/** A client that has said its last word is not coming back for more; sockets of an HTTP server stay half-open otherwise. */
function onEnd (this: Socket): void {
  this.destroy()
}

/** A reset is how most clients leave; 'close' follows and tells what matters. */
function onError (): void {}
