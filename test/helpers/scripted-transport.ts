import { RealtimeError, type StreamObserver, type StreamRequest, type Transport } from '../../src/client/index.js'

/** One attempt of a client to have a stream, of which the test says how it goes. */
export class ScriptedStream {
  readonly request: StreamRequest
  readonly #observer: StreamObserver
  closed = false
  #sent = 0

  constructor (request: StreamRequest, observer: StreamObserver) {
    this.request = request
    this.#observer = observer
  }

  /** It is open. */
  greet (): void {
    this.#observer.event({ name: 'message', data: JSON.stringify({ type: 'connected', merchantId: 'TEST', timestamp: Date.now() }), id: undefined })
  }

  send (name: string, data: unknown): void {
    const id = `id-${++this.#sent}`
    this.#observer.moved(id)
    this.#observer.event({ name, data: JSON.stringify(data), id })
  }

  end (code = 'CONNECTION_LOST', status?: number): void {
    this.#observer.ended(new RealtimeError(code, code, status === undefined ? {} : { status }))
  }
}

/** A transport without a network. */
export class ScriptedTransport implements Transport {
  readonly heartbeats = true
  readonly tokens = true
  readonly streams: ScriptedStream[] = []

  get last (): ScriptedStream {
    return this.streams.at(-1)!
  }

  get open (): ScriptedStream[] {
    return this.streams.filter(({ closed }) => !closed)
  }

  connect (request: StreamRequest, observer: StreamObserver) {
    const stream = new ScriptedStream(request, observer)
    this.streams.push(stream)
    return { listen () {}, close () { stream.closed = true } }
  }
}
