import { fetchTransport, type Connection, type Fetch, type RealtimeError, type StreamObserver, type StreamRequest, type Transport } from '../../client/index.js'
import type { Tape } from './tape.js'

/** A cursor as the service gives them, from before there was any service. */
const LONG_GONE = '1000000000000.AAAAAAAA.AAAAAAA'

/**
 * The way that the client's streams take: that of any page, by `fetch`; but for that it can be cut, and that all that
 * comes by it is on a tape.
 */
export class Wire implements Transport {
  readonly heartbeats = true
  readonly tokens = true
  readonly #tape: Tape
  readonly #listeners = new Set<() => void>()
  readonly #transport = fetchTransport((...request: Parameters<Fetch>) => this.#fetch(...request))
  #cut = new AbortController()
  #forgetful = false

  constructor (tape: Tape) {
    this.#tape = tape
  }

  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  readonly isCut = (): boolean => this.#cut.signal.aborted

  /** What a browser has its page know when the network goes: nothing comes any more, and no stream can be opened. */
  cut (): void {
    this.#tape.mark('cut', 'You cut the network')
    this.#cut.abort(new TypeError('the network is cut'))
    this.#tell()
  }

  /** And when it is back. */
  mend (): void {
    this.#tape.mark('mended', 'You mended the network')
    this.#cut = new AbortController()
    this.#tell()
    window.dispatchEvent(new Event('online'))
  }

  /** The next connection asks to go on from a place that no instance remembers. */
  forget (): void {
    this.#forgetful = true
  }

  connect (request: StreamRequest, observer: StreamObserver): Connection {
    const url = new URL(request.url)
    if (this.#forgetful) url.searchParams.set('lastEventId', LONG_GONE)
    this.#forgetful = false
    return this.#transport.connect({ ...request, url: url.href }, this.#recorded(observer, url.searchParams.get('lastEventId')))
  }

  async #fetch (...[url, init]: Parameters<Fetch>): ReturnType<Fetch> {
    const cut = this.#cut.signal
    cut.throwIfAborted()
    return window.fetch(url, { ...init, signal: AbortSignal.any([init.signal, cut]) })
  }

  /** @param resumed the cursor that the connection asked to go on after. */
  #recorded (observer: StreamObserver, resumed: string | null): StreamObserver {
    const tape = this.#tape
    /** When the service opened this connection, by its clock; in Unix milliseconds. */
    let openedAt = Infinity
    return {
      alive: () => { observer.alive() },
      moved: (id) => {
        tape.moved(id)
        observer.moved(id)
      },
      retry: (ms) => { observer.retry(ms) },
      ended: (error: RealtimeError) => {
        tape.mark('lost', openedAt === Infinity ? 'No connection' : 'Connection lost', `${error.code}: ${error.message}`)
        observer.ended(error)
      },
      event: (event) => {
        const { name, data, id } = event
        const greeting = name === 'message' ? timeOfGreeting(data) : undefined
        if (greeting !== undefined) {
          openedAt = greeting
          if (resumed === null) tape.mark('open', 'Connected', data, id)
          else tape.mark('resumed', 'Connected again', `after ${resumed}`, id)
        } else if (name === 'gap' || name === 'close') {
          tape.mark(name, name, data, id)
        } else {
          tape.event(name, id, data, resumed !== null && Number(id?.split('.', 1)[0]) < openedAt)
        }
        observer.event(event)
      },
    }
  }

  #tell (): void {
    for (const listener of this.#listeners) listener()
  }
}

function timeOfGreeting (data: string): number | undefined {
  const { type, timestamp } = JSON.parse(data) as { readonly type?: unknown, readonly timestamp?: number }
  return type === 'connected' ? timestamp : undefined
}
