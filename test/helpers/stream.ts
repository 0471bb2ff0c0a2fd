import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import type { Test } from 'tap'
import { Arrivals } from './arrivals.js'

export interface StreamOptions {
  readonly headers?: Record<string, string>
}

/** An SSE client that keeps all that it was sent, read by a parser that follows the standard. */
export class Stream {
  readonly events = new Arrivals<EventSourceMessage>()
  readonly comments = new Arrivals<string>()
  readonly retries: number[] = []
  raw = ''
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** To be paused, where it is to read slowly. */
  readonly response: IncomingMessage
  /** Resolves when the server, or this client, has ended it. */
  readonly closed: Promise<void>
  readonly #abort: () => void

  private constructor (response: IncomingMessage, closed: Promise<void>, abort: () => void) {
    this.response = response
    this.status = response.statusCode!
    this.headers = response.headers
    this.closed = closed
    this.#abort = abort
  }

  /** The answer's head has arrived. */
  static async request (t: Test, url: string, { headers = {} }: StreamOptions = {}): Promise<Stream> {
    const outgoing = request(url, { agent: false, headers: { accept: 'text/event-stream', ...headers } })
    t.teardown(() => { outgoing.destroy() })
    outgoing.end()
    const [response] = await once(outgoing, 'response') as [IncomingMessage]
    outgoing.on('error', () => { /* 'close' tells that it is over. */ })
    const closed = new Promise<void>((resolve) => { response.on('close', resolve) })
    const stream = new Stream(response, closed, () => { outgoing.destroy() })
    const parser = createParser({
      onEvent: (event) => { stream.events.add(event) },
      onComment: (comment) => { stream.comments.add(comment) },
      onRetry: (ms) => { stream.retries.push(ms) },
    })
    response.setEncoding('utf8')
    response.on('data', (text: string) => {
      stream.raw += text
      parser.feed(text)
    })
    response.on('error', () => { /* A cut connection; 'close' follows. */ })
    void closed.then(() => {
      stream.events.end('the stream ended')
      stream.comments.end('the stream ended')
    })
    return stream
  }

  /** Open and greeted: whatever is published from now on, it gets. */
  static async open (t: Test, url: string, options?: StreamOptions): Promise<Stream> {
    const stream = await Stream.request(t, url, options)
    if (stream.status !== 200) throw new Error(`status ${stream.status}`)
    await stream.events.count(1)
    return stream
  }

  /** What an EventSource would come back with: the id of the last block, be it a heartbeat. */
  get lastEventId (): string {
    const blocks = this.raw.slice(0, this.raw.lastIndexOf('\n\n') + 1)
    return /^id: (.*)$/m.exec(blocks.slice(blocks.lastIndexOf('\nid: ') + 1))![1]!
  }

  /** The data of all published events so far. */
  get data (): string[] {
    return this.events.all.filter(({ event }) => event !== undefined).map(({ data }) => data)
  }

  /** Resolves once so many published events have come; their data. */
  async published (n: number): Promise<string[]> {
    const events = await this.events.count(n, ({ event }) => event !== undefined)
    return events.map(({ data }) => data)
  }

  close (): void {
    this.#abort()
  }
}
