import { expositionOf, valueOf } from './exposition.js'
import { rssOf } from './proc.js'
import type { ServerUnderTest } from './server.js'

const EVERY_MS = 1_000

/** A server's memory, looked at once a second until stopped. */
export class Samples {
  readonly #server: ServerUnderTest
  readonly #rss: number[] = []
  readonly #buffered: number[] = []
  readonly #timer: NodeJS.Timeout
  #last: Promise<void>

  constructor (server: ServerUnderTest) {
    this.#server = server
    this.#last = this.#take()
    // A server that is too busy to answer is not asked again before it has.
    this.#timer = setInterval(() => { this.#last = this.#last.then(async () => this.#take()) }, EVERY_MS)
    this.#last.catch(() => { /* stop() tells. */ })
  }

  /** Ends it, with a last look. */
  async stop (): Promise<{ readonly rss: { readonly start: number, readonly peak: number, readonly end: number }, readonly bufferedPeak: number }> {
    clearInterval(this.#timer)
    await this.#last
    await this.#take()
    return { rss: { start: this.#rss[0]!, peak: Math.max(...this.#rss), end: this.#rss.at(-1)! }, bufferedPeak: Math.max(...this.#buffered) }
  }

  async #take (): Promise<void> {
    this.#rss.push(rssOf(this.#server.pid))
    this.#buffered.push(valueOf(await expositionOf(this.#server.port), 'realtime_write_buffer_bytes'))
  }
}
