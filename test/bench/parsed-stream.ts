import { get, type ClientRequest, type IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { decode, encode, isPublished, topicOf, type Story } from './event.js'
import type { BenchStream, StreamOptions } from './scanned-stream.js'
import type { Tally } from './tally.js'

/**
 * A client that trusts nothing: HTTP by `node:http`, events by a parser that follows the standard, and each payload is
 * compared with the published one, which its number and time determine. A few of these vouch for the scanning ones.
 */
export class ParsedStream implements BenchStream {
  readonly greeted: Promise<void>
  readonly #request: ClientRequest
  readonly #tally: Tally
  readonly #step: number
  readonly #story: Story
  #due: number
  #open = false
  #closing = false

  constructor ({ port, path, first, step, story, tally }: StreamOptions) {
    this.#tally = tally
    this.#step = step
    this.#story = story
    this.#due = first
    this.#request = get({ host: '127.0.0.1', port, path, agent: false, headers: { accept: 'text/event-stream' } })
    this.greeted = new Promise((resolve, reject) => {
      this.#request
        .on('response', (response) => { this.#read(response, resolve) })
        .on('error', () => { /* 'close' follows. */ })
        .on('close', () => {
          if (!this.#closing) this.#tally.ended++
          reject(new Error('the connection ended before the greeting'))
        })
    })
  }

  close (): void {
    this.#closing = true
    this.#request.destroy()
  }

  #read (response: IncomingMessage, greeted: () => void): void {
    const parser = createParser({
      onEvent: (event) => {
        if (this.#open) this.#event(event)
        this.#open = true
        greeted()
      },
      onComment: () => { this.#tally.heartbeats++ },
    })
    response.setEncoding('utf8')
    response.on('data', (text: string) => { parser.feed(text) }).on('error', () => { /* The request's 'close' follows. */ })
  }

  #event ({ id, event, data }: EventSourceMessage): void {
    if (!isPublished(data)) {
      this.#tally.unexpected++
      return
    }
    const { number, publishedAt, timestamp } = decode(data)
    if (event !== topicOf(number, this.#story) || encode({ number, publishedAt, timestamp }, this.#story) !== data) this.#tally.corrupt++
    this.#tally.parsed++
    if (id !== undefined) this.#tally.identified++
    this.#due = this.#tally.arrived(number, this.#due, this.#step)
    if (this.#tally.isSample(number)) this.#tally.timed(publishedAt)
  }
}
