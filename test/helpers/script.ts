import type { FetchAnswer, FetchInit } from '../../src/client/index.js'
import { Arrivals } from './arrivals.js'

/** One request for a stream, to be answered by hand. */
export class Asked {
  readonly url: URL
  readonly init: FetchInit
  readonly answer: Promise<FetchAnswer>
  #resolve!: (answer: FetchAnswer) => void
  #reject!: (error: Error) => void
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined

  constructor (url: string, init: FetchInit) {
    this.url = new URL(url)
    this.init = init
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    init.signal.addEventListener('abort', () => { this.fail('aborted') })
  }

  get authorization (): string | undefined {
    return this.init.headers.authorization
  }

  /** That no answer came, or no more of it. */
  fail (message = 'reset'): void {
    this.#reject(new TypeError(message))
    try {
      this.#stream?.error(new TypeError(message))
    } catch {
      // It was over already.
    }
  }

  refuse (status: number, headers: Record<string, string> = {}, body: unknown = { code: `RTF_${status}`, message: `no: ${status}` }): void {
    this.#resolve(new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers }))
  }

  /** Begins a stream. */
  open (text = '', contentType = 'text/event-stream'): void {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => { this.#stream = controller } })
    this.#resolve(new Response(body, { headers: { 'content-type': contentType } }))
    if (text !== '') this.send(text)
  }

  /** Begins a stream as the service does. */
  greet (retryMs = 2_000): void {
    this.open(`retry: ${retryMs}\n\n${greeting()}`)
  }

  send (text: string): void {
    this.#stream!.enqueue(new TextEncoder().encode(text))
  }

  end (): void {
    this.#stream!.close()
  }
}

export function greeting (id = '1.-.abcdefg.1', timestamp = Date.now()): string {
  return `id: ${id}\ndata: {"type":"connected","merchantId":"TEST","timestamp":${timestamp}}\n\n`
}

/** A `fetch` whose answers are given by hand. */
export class Script {
  readonly asked = new Arrivals<Asked>()

  readonly fetch = async (url: string, init: FetchInit): Promise<FetchAnswer> => {
    const asked = new Asked(url, init)
    this.asked.add(asked)
    return asked.answer
  }

  /** The n-th request, from 1 on. */
  async nth (n: number): Promise<Asked> {
    return (await this.asked.count(n))[n - 1]!
  }
}
