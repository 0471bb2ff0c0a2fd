import { Backoff } from './backoff.js'
import { RealtimeError } from './errors.js'
import type { ConnectionState } from './events.js'
import { Silence } from './silence.js'
import type { Connection, CredentialsMode, StreamEvent, StreamRequest, Transport } from './transport.js'
import { watchWake } from './wake.js'

/** What a token or a ticket is asked for. */
export interface CredentialRequest {
  /** Whether the last one was refused: one that was kept is of no use, then. */
  readonly refused: boolean
  /** Aborted when it is of no use any more. */
  readonly signal: AbortSignal
}

export type GetCredential = (request: CredentialRequest) => string | Promise<string>

export interface ConnectorOptions {
  /** Of the stream, without cursor and ticket. */
  readonly url: URL
  readonly getToken: GetCredential | undefined
  readonly getTicket: GetCredential | undefined
  readonly credentials: CredentialsMode
  readonly transport: Transport
  /** A connection that is silent for longer is dead, in milliseconds. */
  readonly silenceMs: number
  readonly owner: ConnectorOwner
}

/** Who is told of what happens. */
export interface ConnectorOwner {
  /** The names that somebody listens to. */
  readonly names: Iterable<string>
  /** `state` or `error` is another one. */
  changed (): void
  /** An attempt failed, or a stream was lost. */
  failed (error: RealtimeError): void
  /**
   * An event came.
   * @param resumed the cursor that the stream was asked to begin after.
   * @returns what it is to the connector: whether the stream is open now, or has ended.
   */
  event (event: StreamEvent, resumed: string | undefined): Sign | undefined
}

/** `greeting`: the stream is open. `farewell`: it is over, come back. `goodbye`: it is over, do not. */
export type Sign = 'greeting' | 'farewell' | 'goodbye'

/** Statuses that say the same however often one asks. */
const HOPELESS: ReadonlyArray<number | undefined> = [400, 403, 404, 406]

/** Keeps a stream going: it comes back after all that heals, with the cursor, and gives up what does not. */
export class Connector {
  readonly #options: ConnectorOptions
  readonly #backoff = new Backoff()
  readonly #silence: Silence
  #state: ConnectionState = 'closed'
  #error: RealtimeError | undefined
  #lastEventId: string | undefined
  /** Of the attempt or stream that there is; aborted when there is another one, or none. */
  #present = new AbortController()
  #connection: Connection | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Until then the service asked to wait, by the clock on the wall. */
  #notBefore = 0
  /** The last credential was refused. */
  #refused = false
  #unwatch: (() => void) | undefined

  constructor (options: ConnectorOptions) {
    this.#options = options
    this.#silence = new Silence(options.silenceMs, () => { this.#over(new RealtimeError('SILENT', 'nothing came for too long')) })
  }

  get state (): ConnectionState {
    return this.#state
  }

  /** Why it was given up. */
  get error (): RealtimeError | undefined {
    return this.#error
  }

  get lastEventId (): string | undefined {
    return this.#lastEventId
  }

  listen (name: string): void {
    this.#connection?.listen(name)
  }

  /** Begins anew at once, whatever there is; with the cursor, if there is one. */
  connect (): void {
    this.#unwatch ??= watchWake({
      // What seems open may lead through a network that is no more.
      online: () => { if (this.#timer === undefined || this.#mayHurry()) this.connect() },
      visible: () => {
        this.#silence.look()
        if (this.#mayHurry()) this.connect()
      },
    })
    this.#stop()
    this.#attempt()
  }

  /** @param error why it is given up, where nobody asked for the end. */
  close (error?: RealtimeError): void {
    this.#stop()
    this.#unwatch?.()
    this.#unwatch = undefined
    this.#refused = false
    this.#become('closed', error)
  }

  #attempt (): void {
    const { signal } = this.#present = new AbortController()
    this.#silence.start()
    this.#become(this.#state === 'closed' ? 'connecting' : 'reconnecting')
    // Who was told of that may have closed it, or begun another one.
    if (signal.aborted) return
    this.#request(signal).then((request) => {
      if (!signal.aborted) this.#open(request, signal)
    }, (cause: unknown) => {
      if (!signal.aborted) this.#over(new RealtimeError('CREDENTIAL_FAILED', 'no token or ticket could be got', { cause }))
    })
  }

  async #request (signal: AbortSignal): Promise<StreamRequest> {
    const { url: base, getToken, getTicket, credentials, owner } = this.#options
    const asked: CredentialRequest = { refused: this.#refused, signal }
    const url = new URL(base)
    const credential = await (getToken ?? getTicket)?.(asked)
    if (getTicket !== undefined) url.searchParams.set('ticket', String(credential))
    if (this.#lastEventId !== undefined) url.searchParams.set('lastEventId', this.#lastEventId)
    return { url: url.href, credentials, names: [...owner.names], token: getToken && credential }
  }

  #open (request: StreamRequest, signal: AbortSignal): void {
    const resumed = this.#lastEventId
    const present = (act: () => void) => { if (!signal.aborted) act() }
    this.#connection = this.#options.transport.connect(request, {
      alive: () => { present(() => { this.#silence.heard() }) },
      moved: (id) => { present(() => { this.#lastEventId = id }) },
      retry: (ms) => { present(() => { this.#backoff.retry(ms) }) },
      ended: (error) => { present(() => { this.#over(error) }) },
      event: (event) => {
        if (signal.aborted) return
        const sign = this.#options.owner.event(event, resumed)
        // Who was told of it may have closed it.
        if (sign !== undefined) present(() => { this.#heed(sign) })
      },
    })
  }

  #heed (sign: Sign): void {
    if (sign === 'goodbye') {
      this.close()
    } else if (sign === 'farewell') {
      const failed = this.#state !== 'open'
      this.#stop()
      this.#wait(this.#backoff.next(failed), true)
    } else {
      this.#backoff.reset()
      this.#refused = false
      if (!this.#options.transport.heartbeats) this.#silence.stop()
      this.#become('open')
    }
  }

  /** There is no stream, or none any more, and nobody has said farewell. */
  #over (error: RealtimeError): void {
    const { getToken, getTicket, owner } = this.#options
    const { status, code, retryAfterMs } = error
    const failed = this.#state !== 'open'
    const renewable = status === 401 && !this.#refused && (getToken ?? getTicket) !== undefined
    this.#stop()
    if (renewable) {
      this.#refused = true
      this.#wait(0)
    } else if (status === 401 || code === 'NOT_A_STREAM' || HOPELESS.includes(status)) {
      this.close(error)
    } else {
      // What was found dead, after a sleep perhaps, has been waited for for long enough.
      this.#wait(code === 'SILENT' && !failed ? 0 : this.#backoff.next(failed, retryAfterMs), retryAfterMs !== undefined)
    }
    owner.failed(error)
  }

  /** @param asked whether the service asked for it, so that nothing cuts it short. */
  #wait (ms: number, asked = false): void {
    this.#notBefore = asked ? Date.now() + ms : 0
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#attempt()
    }, ms)
    this.#become('reconnecting')
  }

  /** Whether it waits, and not, or no longer, because the service asked it to. */
  #mayHurry (): boolean {
    return this.#timer !== undefined && Date.now() >= this.#notBefore
  }

  #stop (): void {
    this.#present.abort()
    this.#connection?.close()
    this.#connection = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#silence.stop()
  }

  #become (state: ConnectionState, error?: RealtimeError): void {
    if (state === this.#state && error === this.#error) return
    this.#state = state
    this.#error = error
    this.#options.owner.changed()
  }
}
