import type { Writable } from 'node:stream'
import type { CloseEvent, ConnectionState, EventInfo, GapEvent, RealtimeError } from '../client/index.js'
import { reasonOf, type Audience } from './audience.js'

/**
 * One JSON object per line, in two shapes: `{"event":…,"id":…,"merchant":…,"data":…}` for what came on the stream, `gap`
 * and `close` included, `data` as it was published; and `{"connection":"open"|"reconnecting","merchant":…}` for how it
 * came, with `code` and `message` where something went wrong. What is not known is left out.
 */
export class JsonLines implements Audience {
  readonly #output: Writable

  constructor (output: Writable) {
    this.#output = output
  }

  published (merchant: string | undefined, _: unknown, event: EventInfo): void {
    this.#event(merchant, event)
  }

  gap (merchant: string | undefined, _: GapEvent, event: EventInfo): void {
    this.#event(merchant, event)
  }

  close (merchant: string | undefined, _: CloseEvent, event: EventInfo): void {
    this.#event(merchant, event)
  }

  connection (merchant: string | undefined, connection: ConnectionState): void {
    // All others are told of by what leads to them.
    if (connection === 'open') this.#write(JSON.stringify({ connection, merchant }))
  }

  trouble (merchant: string | undefined, error: RealtimeError): void {
    this.#write(JSON.stringify({ connection: 'reconnecting', merchant, code: error.code, message: reasonOf(error) }))
  }

  end (): void {}

  #event (merchant: string | undefined, { name: event, id, raw }: EventInfo): void {
    const head = JSON.stringify({ event, id, merchant })
    // A line break in JSON is white space between tokens.
    this.#write(`${head.slice(0, -1)},"data":${raw.replace(/[\r\n]+/g, ' ')}}`)
  }

  #write (line: string): void {
    this.#output.write(`${line}\n`)
  }
}
