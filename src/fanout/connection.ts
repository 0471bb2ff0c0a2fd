import type { Socket } from 'node:net'
import type { Filter } from './filter.js'

/** Why a stream ended; the closed set of `connections_closed_total{reason}`. */
export const CLOSE_REASONS = ['client_gone', 'slow_consumer', 'draining'] as const
export type CloseReason = typeof CLOSE_REASONS[number]

/** Who is told, once, when a connection's socket is closed, whoever closed it. */
export interface ConnectionOwner {
  closed (connection: Connection): void
}

export interface ConnectionOptions {
  readonly merchantId: string
  /** The topics wanted; `undefined` for all. */
  readonly filter: Filter | undefined
  /** A socket that is past its HTTP head and used by nobody else; the connection owns it from here on. */
  readonly socket: Socket
  readonly maxBufferedBytes: number
  readonly owner: ConnectionOwner
}

/** A client that is turned away and does not read its last words is cut off after this, in milliseconds. */
const TURN_AWAY_MS = 5_000

/** Writes last words to a client that is given no connection, and closes the socket. */
export function turnAway (socket: Socket, lastWords: Buffer): void {
  socket.on('error', onError).setTimeout(TURN_AWAY_MS, () => { socket.destroy() })
  socket.resume()
  socket.write(lastWords)
  socket.destroySoon()
}

const CONNECTION = Symbol('connection')
type HeldSocket = Socket & { [CONNECTION]?: Connection }

/** One SSE client: the writing end of a stream, with a bound on what it may owe. */
export class Connection {
  readonly merchantId: string
  readonly filter: Filter | undefined
  /** On the monotonic clock, in milliseconds. */
  readonly openedAt = performance.now()
  /** Where the heartbeat keeps it. */
  heartbeatSlot = 0
  readonly #socket: Socket
  readonly #maxBufferedBytes: number
  readonly #owner: ConnectionOwner
  #closing: CloseReason | undefined
  /** Bytes that the kernel did not take at once, after which all go by the socket's own buffer; 0 if it has taken all. */
  #behind: number

  constructor ({ merchantId, filter, socket, maxBufferedBytes, owner }: ConnectionOptions) {
    this.merchantId = merchantId
    this.filter = filter
    this.#socket = socket
    this.#maxBufferedBytes = maxBufferedBytes
    this.#owner = owner
    this.#behind = socket.writableLength // Of an earlier answer on the same connection, which nothing may overtake.
    // The listeners are shared by all connections and find theirs on the socket: closures of its own would cost each
    // idle connection some hundred bytes.
    const held: HeldSocket = socket
    held[CONNECTION] = this
    socket.on('close', onClose).on('end', onEnd).on('error', onError)
    socket.resume() // What a client still sends is of no interest; its end is.
  }

  /** Why it was closed; `client_gone` unless this side began. */
  get closeReason (): CloseReason {
    return this.#closing ?? 'client_gone'
  }

  /** Bytes that were written and that the kernel has not taken yet, as far as is known: no fewer than there are. */
  get bufferedBytes (): number {
    return this.#behind + this.#socket.writableLength
  }

  /**
   * Hands over shared bytes and says whether it did. A client that is owed more than the bound when more is to come
   * reads too slowly, and is cut off instead. The bound is looked at before a write and not after, or one turn that
   * brings more than it would cut off the quickest client too.
   *
   * While the kernel takes all at once, writes go past the bookkeeping of stream.Writable, straight to what it would
   * call itself: 1.31 µs of user CPU each against 1.74, the means of four alternating pairs of runs of the benchmark's
   * `broadcast`. Order is kept, as libuv has one queue for both ways.
   */
  write (bytes: Buffer): boolean {
    if (this.#closing !== undefined) return false
    const socket = this.#socket
    if (this.#behind === 0) {
      allTaken = false
      socket._write(bytes, 'buffer' as BufferEncoding, onTaken) // What stream.Writable says for bytes, too.
      if (!allTaken) this.#behind = bytes.length
      return true
    }
    if (this.bufferedBytes > this.#maxBufferedBytes) {
      this.destroy('slow_consumer')
      return false
    }
    socket.write(bytes)
    if (socket.writableLength === 0) this.#behind = 0 // This one is out, and so are all before it.
    return true
  }

  /** Writes a last block and closes the socket once all is sent: never, if the client does not read. */
  end (reason: CloseReason, farewell: Buffer): void {
    if (!this.write(farewell)) return
    this.#closing = reason
    this.#socket.destroySoon()
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
