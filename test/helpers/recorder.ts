import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'
import { Arrivals } from './arrivals.js'

/** One request as it went over the wire, and what was answered so far. In ASCII, as nothing else is sent in tests. */
export class Exchange {
  /** The head. */
  readonly request: string
  /** All that was answered so far, anew at every piece of it. */
  readonly answers = new Arrivals<string>()

  constructor (request: string) {
    this.request = request
  }

  /** A header of the request. */
  header (name: string): string | undefined {
    return new RegExp(`^${name}: (.*)$`, 'im').exec(this.request)?.[1]
  }

  /** The complete blocks of a stream so far: no client heeds an incomplete one. */
  get blocks (): string[] {
    return blocksOf(this.answers.all.at(-1) ?? '')
  }

  /** Resolves once there are so many blocks that are wanted. */
  async count (n: number, wants: (block: string) => boolean): Promise<void> {
    await this.answers.first((answer) => blocksOf(answer).filter(wants).length >= n)
  }
}

function blocksOf (answer: string): string[] {
  const head = answer.indexOf('\r\n\r\n')
  return head === -1 ? [] : answer.slice(head + 4).split('\n\n').slice(0, -1)
}

/** What a block of a stream says its id is. */
export function idOf (block: string): string | undefined {
  return /^id: (.*)$/m.exec(block)?.[1]
}

/** A wire between HTTP clients and a port of this machine that remembers what went over it, both ways. */
export class Recorder {
  readonly port: number
  readonly exchanges = new Arrivals<Exchange>()
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  /** Where it leads to; `undefined` while it is cut. */
  #target: number | undefined

  private constructor (port: number, target: number) {
    this.port = port
    this.#target = target
  }

  static async start (t: Test, target: number): Promise<Recorder> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const recorder = new Recorder((server.address() as AddressInfo).port, target)
    server.on('connection', (near) => { recorder.#accept(near) })
    t.teardown(() => {
      server.close()
      recorder.cut()
    })
    return recorder
  }

  get url (): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** The exchanges so far that were about this path. */
  about (path: string): Exchange[] {
    return this.exchanges.all.filter(({ request }) => request.startsWith(`GET ${path}`))
  }

  /** Ends the connections that there are, once the clients have all that is remembered as sent to them, and takes no new ones. */
  cut (): void {
    this.#target = undefined
    for (const [near, far] of this.#pairs) {
      far.destroy()
      near.destroySoon()
    }
  }

  /** Takes connections again. */
  mend (target: number): void {
    this.#target = target
  }

  #accept (near: Socket): void {
    near.on('error', () => { /* 'close' follows. */ })
    if (this.#target === undefined) {
      near.destroy()
      return
    }
    const far = connect(this.#target, '127.0.0.1').on('error', () => { /* 'close' follows. */ })
    const pair = [near, far] as const
    this.#pairs.add(pair)
    let asked = ''
    let exchange: Exchange | undefined
    near.on('data', (bytes: Buffer) => {
      asked += bytes.toString('latin1')
      for (let end; (end = asked.indexOf('\r\n\r\n')) !== -1; asked = asked.slice(end + 4)) {
        exchange = new Exchange(asked.slice(0, end))
        this.exchanges.add(exchange)
      }
      far.write(bytes)
    })
    far.on('data', (bytes: Buffer) => {
      near.write(bytes)
      exchange?.answers.add((exchange.answers.all.at(-1) ?? '') + bytes.toString('latin1'))
    })
    near.on('close', () => {
      this.#pairs.delete(pair)
      far.destroy()
    })
    far.on('close', () => { near.destroySoon() })
  }
}
