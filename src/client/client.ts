import { Connector, type ConnectorOwner, type GetCredential, type Sign } from './connector.js'
import type { RealtimeError } from './errors.js'
import type { ConnectionState, EventInfo, Handlers, PublishedEvents, UnknownEvent } from './events.js'
import { eventSourceTransport } from './eventsource-transport.js'
import { fetchTransport } from './fetch-transport.js'
import { Listeners, report } from './listeners.js'
import { Repeats } from './repeats.js'
import type { CredentialsMode, StreamEvent, Transport } from './transport.js'

export interface RealtimeOptions {
  /**
   * Of the stream: `https://realtime.example.com/api/realtime/events`, or without the host in a page of the service's own
   * origin. What is in its query stays: `?replay=10` is for the first connection, `?lastEventId=` is where to begin.
   */
  readonly url: string
  /** Needed where the service has no credential to know it by. */
  readonly merchantId?: string | undefined
  /** The only topics that are wanted; all, if not given. */
  readonly topics?: readonly string[] | undefined
  /** Gives the token for `Authorization: Bearer`. Asked before each connection, as the last one may have run out. */
  readonly getToken?: GetCredential | undefined
  /** Gives a ticket of `POST /api/realtime/ticket`. Asked before each connection, as each ticket opens one. */
  readonly getTicket?: GetCredential | undefined
  /** Whether cookies go along: as of `fetch`, and `include` is `withCredentials` of an EventSource. `same-origin`, if not given. */
  readonly credentials?: CredentialsMode | undefined
  /** `fetch`, if not given. `eventsource` is the platform's own EventSource, which sees less; or what else can be one. */
  readonly transport?: 'fetch' | 'eventsource' | Transport | undefined
  /** The service's HEARTBEAT_MS: a connection on which nothing came for 2.5 of it is dead. 15,000, if not given. */
  readonly heartbeatMs?: number | undefined
}

/** A stream that is kept going. Its functions need no `this`. */
export interface RealtimeClient<Events = PublishedEvents> {
  readonly state: ConnectionState
  /** Why it was given up; `undefined` unless it is `closed`, and not by {@link RealtimeClient.close}. */
  readonly error: RealtimeError | undefined
  /** The cursor: with it, another client would go on where this one is. */
  readonly lastEventId: string | undefined
  /**
   * Has a function called after each change of `state` or `error`.
   * @returns what ends that.
   */
  readonly subscribe: (listener: () => void) => () => void
  /**
   * Has a function called with each event of this name: one that is published, or `gap`, `close`, `connection_error`, or
   * `*` for all that are published. What it throws is reported, and stops nothing.
   * @returns what ends that.
   */
  readonly on: On<Events>
  /** Connects anew at once, with the cursor, whatever the state is: `closed`, too, as after a new log-in. */
  readonly reconnect: () => void
  /** Ends the stream, and all attempts to have it. */
  readonly close: () => void
}

export interface On<Events> {
  <Name extends keyof Handlers<Events>>(name: Name, handler: Handlers<Events>[Name]): () => void
  (name: string, handler: (data: UnknownEvent, event: EventInfo) => void): () => void
}

const HEARTBEAT_MS = 15_000
/** A connection is dead when nothing came for so many heartbeats. */
const SILENT_HEARTBEATS = 2.5
/** Not the names of published events to listen to, though some might be published by them. */
const RESERVED = ['connection_error', '*']

type Handler = (data: unknown, event?: EventInfo) => void

/**
 * Opens the stream of a merchant, and keeps it going until it is closed. The type argument adds events that are published
 * beside the four: `createRealtimeClient<PublishedEvents & { invoice: Invoice }>(…)`.
 * @throws {TypeError} for options that cannot work.
 */
export function createRealtimeClient<Events = PublishedEvents> (options: RealtimeOptions): RealtimeClient<Events> {
  const { merchantId, topics, getToken, getTicket, credentials = 'same-origin', transport: given = 'fetch', heartbeatMs = HEARTBEAT_MS } = options
  const url = new URL(options.url, (globalThis as { location?: { href: string } }).location?.href)
  if (merchantId !== undefined) url.searchParams.set('merchantId', merchantId)
  if (topics !== undefined) url.searchParams.set('topics', topics.join(','))
  const transport = given === 'fetch' ? fetchTransport() : given === 'eventsource' ? eventSourceTransport() : given
  if (getToken !== undefined && (getTicket !== undefined || !transport.tokens)) {
    throw new TypeError(getTicket === undefined ? 'this transport sends no token: give getTicket instead of getToken' : 'give getToken or getTicket, not both')
  }

  const handlers = new Map<string, Listeners<[data: unknown, event?: EventInfo]>>()
  const watchers = new Listeners<[]>()
  const repeats = new Repeats()
  const tell: (name: string, ...told: Parameters<Handler>) => void = (name, ...told) => { handlers.get(name)?.tell(...told) }

  function receive ({ name, data: raw, id }: StreamEvent, resumed: string | undefined): Sign | undefined {
    const data = JSON.parse(raw) as { readonly type?: unknown, readonly timestamp?: unknown, readonly reconnect?: unknown } | null
    // What is published has a name, or none of this type.
    if (name === 'message' && data?.type === 'connected') {
      if (resumed !== undefined && id !== undefined) repeats.resumed(id, Number(data.timestamp))
      return 'greeting'
    }
    const own = name === 'gap' || name === 'close'
    if (!own && id !== undefined && repeats.has(id)) return undefined
    const event: EventInfo = { name, id, raw }
    if (!RESERVED.includes(name)) tell(name, data, event)
    if (!own) tell('*', data, event)
    return name !== 'close' ? undefined : data?.reconnect === false ? 'goodbye' : 'farewell'
  }

  const owner: ConnectorOwner = {
    get names () { return handlers.keys() },
    changed () { watchers.tell() },
    failed (error) { tell('connection_error', error) },
    event (event, resumed) {
      try {
        return receive(event, resumed)
      } catch (error) {
        report(error) // It is no JSON, which the service does not send.
        return undefined
      }
    },
  }
  const connector = new Connector({ url, getToken, getTicket, credentials, transport, silenceMs: heartbeatMs * SILENT_HEARTBEATS, owner })

  const client: RealtimeClient<Events> = {
    get state () { return connector.state },
    get error () { return connector.error },
    get lastEventId () { return connector.lastEventId },
    subscribe: (listener) => watchers.add(listener),
    on: (name: string, handler: (data: never, event: EventInfo) => void) => {
      let listeners = handlers.get(name)
      if (listeners === undefined) handlers.set(name, listeners = new Listeners())
      connector.listen(name)
      return listeners.add(handler as Handler)
    },
    reconnect: () => { connector.connect() },
    close: () => { connector.close() },
  }
  connector.connect()
  return client
}
