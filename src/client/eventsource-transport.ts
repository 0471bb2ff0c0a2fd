import { RealtimeError } from './errors.js'
import type { Transport } from './transport.js'

/** As much of an EventSource's events as is needed. A connection's error has no data, a published one has. */
export interface SourceEvent {
  readonly type: string
  readonly data?: string | null
  readonly lastEventId?: string | null
}

/** The platform's EventSource, or another one that is made like it. */
export type EventSourceClass = new (url: string, init: { withCredentials: boolean }) => {
  readonly readyState?: number
  addEventListener (name: string, listener: (event: SourceEvent) => void): void
  close (): void
}

/** Readiness of one that will not come back by itself. */
const CLOSED = 2
/** The names that are listened to in any case. */
const NAMES = ['message', 'error', 'gap', 'close', 'progress', 'stage', 'completion']

/**
 * What EventSource shows to a page: no status, no heartbeat, no header, no event of a name that nobody has asked for. So
 * an end is an end, whatever it comes from; an idle client's cursor is that of its last event; and a dead connection is
 * noticed by whoever made the EventSource, if at all. It comes back by the client's own rules, not by its own.
 * @throws {TypeError} where none is given, and the platform has none.
 */
export function eventSourceTransport (EventSource = (globalThis as { EventSource?: EventSourceClass }).EventSource): Transport {
  if (EventSource === undefined) throw new TypeError('there is no EventSource here')
  return {
    heartbeats: false,
    tokens: false,
    connect ({ url, credentials, names }, observer) {
      const source = new EventSource(url, { withCredentials: credentials === 'include' })
      const heard = new Set<string>()
      let lastEventId: string | undefined
      const onEvent = ({ type: name, data, lastEventId: last }: SourceEvent) => {
        if (typeof data !== 'string') {
          if (name !== 'error') return
          const refused = source.readyState === CLOSED
          source.close()
          observer.ended(refused
            ? new RealtimeError('REFUSED', 'there was another answer than a stream of events; EventSource does not tell which')
            : new RealtimeError('CONNECTION_LOST', 'the connection was lost, or could not be made'))
          return
        }
        observer.alive()
        const id = last === lastEventId ? undefined : last || undefined
        if (id !== undefined) observer.moved(lastEventId = id)
        observer.event({ name, data, id })
      }
      const listen = (name: string) => {
        if (!heard.has(name)) source.addEventListener(name, onEvent)
        heard.add(name)
      }
      for (const name of [...NAMES, ...names]) listen(name)
      return { listen, close () { source.close() } }
    },
  }
}
