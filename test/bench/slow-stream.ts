import { connect, type Socket } from 'node:net'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { completionsBefore, decode, encode, isPublished, orderOf, topicOf, type Story } from './event.js'

export interface SlowStreamOptions {
  readonly port: number
  readonly path: string
  readonly story: Story
  /** Called when the stream is over that nobody closed here. */
  readonly onEnd: () => void
}

const END_OF_HEAD = '\r\n\r\n'
/** What one read brings at most. */
export const PORTION_BYTES = 1_024
/** Shared, as it is parsed before the next read. */
const portion = Buffer.allocUnsafe(PORTION_BYTES)

/**
 * A client that reads one portion whenever it is told to, and so leaves all the rest to the kernel and to the server.
 * Like a ParsedStream it trusts nothing; unlike that, it is content with the latest progress of each order.
 */
export class SlowStream {
  readonly greeted: Promise<void>
  readonly #socket: Socket
  readonly #story: Story
  /** The latest event of each order, by number. */
  readonly #latest = new Map<number, number>()
  #head = ''
  #headRead = false
  #open = false
  #slow = true
  #last = -1
  #events = 0
  #completions = 0
  #faults = 0

  constructor ({ port, path, story, onEnd }: SlowStreamOptions) {
    this.#story = story
    let greeted = () => {}
    let failed: (error: Error) => void = () => {}
    this.greeted = new Promise((resolve, reject) => { [greeted, failed] = [resolve, reject] })
    const parser = createParser({
      onEvent: (event) => {
        if (this.#open) this.#event(event)
        this.#open = true
        greeted()
      },
    })
    const callback = (bytes: number) => {
      parser.feed(this.#bodyOf(portion.toString('latin1', 0, bytes)))
      return !this.#slow || !this.#open // `false` stops reading.
    }
    this.#socket = connect({ host: '127.0.0.1', port, onread: { buffer: portion, callback } })
    this.#socket.on('error', () => { /* 'close' follows. */ }).on('close', () => {
      failed(new Error(`the connection ended before the greeting, after ${JSON.stringify(this.#head.split('\r\n', 1)[0])}`))
      onEnd()
    })
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\n\r\n`)
  }

  /** Reads one portion more. */
  read (): void {
    this.#socket.resume()
  }

  /** From now on reads as fast as it can. */
  hurry (): void {
    this.#slow = false
    this.#socket.resume()
  }

  /** The number of the last event that came. */
  get last (): number {
    return this.#last
  }

  /** How many events came, of whatever kind. */
  get events (): number {
    return this.#events
  }

  get completions (): number {
    return this.#completions
  }

  /** Events that came in another order than they were published, changed, or unasked for. */
  get faults (): number {
    return this.#faults
  }

  /** Whether all completions of the events up to `to` (exclusive) came, and nothing that is out of date stands last. */
  has (to: number): boolean {
    if (this.#completions !== completionsBefore(to, this.#story)) return false
    // The last progress of each order is among the last few events of all; going back, the first of an order is its last.
    const orders = new Set<number>()
    for (let number = to - 1; number >= 0 && orders.size < (this.#story.orders ?? 0); number--) {
      const order = orderOf(number, this.#story)
      if (orders.has(order) || topicOf(number, this.#story) !== 'progress') continue
      orders.add(order)
      if (this.#latest.get(order) !== number) return false
    }
    return true
  }

  #bodyOf (text: string): string {
    if (this.#headRead) return text
    this.#head += text
    const end = this.#head.indexOf(END_OF_HEAD)
    if (end < 0) return ''
    this.#headRead = true
    return this.#head.slice(end + END_OF_HEAD.length)
  }

  #event ({ event, data }: EventSourceMessage): void {
    if (!isPublished(data)) {
      this.#faults++
      return
    }
    const { number, publishedAt, timestamp } = decode(data)
    const topic = topicOf(number, this.#story)
    if (number <= this.#last || event !== topic || encode({ number, publishedAt, timestamp }, this.#story) !== data) this.#faults++
    this.#last = number
    this.#events++
    if (topic === 'completion') this.#completions++
    else this.#latest.set(orderOf(number, this.#story), number)
  }
}
