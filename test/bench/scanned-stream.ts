import { connect, type Socket } from 'node:net'
import { MARK, MARK_AT, PAYLOAD_BYTES, numberAt, publishedAtAt, type Story } from './event.js'
import type { Tally } from './tally.js'

/** Which stream to open, and the numbers of the events that it is to bring: `first`, `first + step`, … */
export interface StreamOptions {
  readonly port: number
  readonly path: string
  /** What the client shows of who it is. */
  readonly token?: string
  readonly first: number
  readonly step: number
  readonly story: Story
  readonly tally: Tally
}

/** An open stream that reports to a tally. */
export interface BenchStream {
  /** Resolves when greeted: from now on it gets what is published. Rejects if it is refused or cut off before. */
  readonly greeted: Promise<void>
  close (): void
}

const [LF, COLON, A, D, H] = Array.from('\n:adH', (character) => character.charCodeAt(0)) as [number, number, number, number, number]
const DATA = 'data: '.length

const READ_BYTES = 256 * 1024
/** More than the longest line of a stream or of its HTTP head. */
const CARRY_BYTES = 4 * 1024
/** All sockets read into this one, what an earlier read left over being put in front: it is scanned before the next read. */
const shared = Buffer.allocUnsafe(CARRY_BYTES + READ_BYTES)
const readInto = shared.subarray(CARRY_BYTES)

/**
 * A client that is cheap enough for a million events per second in one process, and looks at every event's number all
 * the same: it reads lines, jumps over payloads, whose length is known, and never makes a string. Lines of HTTP's
 * chunked coding are skipped like any others that are no `data:`; a payload must not be split over two chunks.
 */
export class ScannedStream implements BenchStream {
  readonly greeted: Promise<void>
  readonly #socket: Socket
  readonly #tally: Tally
  readonly #step: number
  #due: number
  #carry: Buffer | undefined
  /** Until greeted: how to tell. */
  #greeting: { readonly resolve: () => void, readonly reject: (error: Error) => void } | undefined
  #closing = false

  constructor ({ port, path, token, first, step, tally }: StreamOptions) {
    this.#tally = tally
    this.#step = step
    this.#due = first
    this.greeted = new Promise((resolve, reject) => { this.#greeting = { resolve, reject } })
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      onread: {
        buffer: readInto,
        callback: (bytes) => {
          this.#read(bytes)
          return true
        },
      },
    })
    this.#socket.on('error', () => { /* 'close' follows. */ }).on('close', () => { this.#closed() })
    const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\n${authorization}\r\n`)
  }

  close (): void {
    this.#closing = true
    // By a reset, no port is kept for a while (TIME_WAIT): the next thousands need them. Node.js has none for who is ending.
    if (this.#socket.writableEnded) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  #read (bytes: number): void {
    const end = CARRY_BYTES + bytes
    let start = CARRY_BYTES
    if (this.#carry !== undefined) {
      start -= this.#carry.length
      this.#carry.copy(shared, start)
      this.#carry = undefined
    }
    const scanned = this.#scan(start, end)
    if (scanned < end) this.#carry = Buffer.from(shared.subarray(scanned, end))
  }

  /** Takes all whole lines of `shared` from `at` to `end`, an event's being whole with the empty line after it; where it stopped. */
  #scan (at: number, end: number): number {
    while (at < end) {
      const isData = at + DATA + MARK_AT < end && shared[at] === D && shared[at + 3] === A && shared[at + 4] === COLON
      if (isData && shared[at + DATA + MARK_AT] === MARK) {
        const after = at + DATA + PAYLOAD_BYTES
        if (after + 1 >= end) return at
        if (shared[after] === LF && shared[after + 1] === LF) this.#event(at + DATA)
        else this.#tally.corrupt++
        at = after + 2
      } else {
        let after = at
        while (after < end && shared[after] !== LF) after++
        if (after === end) return at
        if (isData) this.#control()
        else if (shared[at] === COLON) this.#tally.heartbeats++
        else if (shared[at] === H && this.#greeting !== undefined) this.#status(shared.toString('latin1', at, after))
        at = after + 1
      }
    }
    return at
  }

  #event (payloadAt: number): void {
    const number = numberAt(shared, payloadAt)
    this.#due = this.#tally.arrived(number, this.#due, this.#step)
    if (this.#tally.isSample(number)) this.#tally.timed(publishedAtAt(shared, payloadAt))
  }

  #control (): void {
    if (this.#greeting === undefined) this.#tally.unexpected++
    this.#greeting?.resolve()
    this.#greeting = undefined
  }

  #status (line: string): void {
    if (!line.startsWith('HTTP/1.1 200 ')) this.#greeting?.reject(new Error(`refused: ${line.trim()}`))
  }

  #closed (): void {
    if (!this.#closing) this.#tally.ended++
    this.#greeting?.reject(new Error('the connection ended before the greeting'))
  }
}
