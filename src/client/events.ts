import type { CompletionEvent, ErrorEvent, ProgressEvent, StageEvent } from '../message.js'
import type { RealtimeError } from './errors.js'

export type { CompletionEvent, ErrorEvent, ProgressEvent, StageEvent } from '../message.js'

/** What is published, by name, as far as the service knows it. `error` is one that a publisher has sent. */
export interface PublishedEvents {
  progress: ProgressEvent
  stage: StageEvent
  completion: CompletionEvent
  error: ErrorEvent
}

/** A published event of a name that no type is known for: always a JSON object. */
export type UnknownEvent = Readonly<Record<string, unknown>>

/** Of what was published between two times, in Unix milliseconds, some may be missing: fetch your state anew. */
export interface GapEvent {
  readonly type: 'gap'
  readonly reason: 'redis_outage' | 'history_evicted' | 'unknown_cursor'
  /** 0 where nothing tells since when. */
  readonly from: number
  readonly to: number
}

/** The service ended the stream, and says why. The client comes back by itself, unless it is told not to. */
export interface CloseEvent {
  readonly type: 'close'
  readonly reason: 'draining' | 'max_age' | 'token_expired' | 'over_capacity' | 'unavailable'
  readonly reconnect: boolean
}

/** How an event came. */
export interface EventInfo {
  readonly name: string
  /** Its cursor; `undefined` where the service keeps no history. */
  readonly id: string | undefined
  /** The JSON text, as it was published. */
  readonly raw: string
}

/** Events that are not published, by the names to listen to them by; nothing published comes by these. */
export interface OwnEvents {
  gap: GapEvent
  close: CloseEvent
}

/** Who can listen to what. */
export type Handlers<Events> =
  & { [Name in keyof Events]: (data: Events[Name], event: EventInfo) => void }
  & { [Name in keyof OwnEvents]: (data: OwnEvents[Name], event: EventInfo) => void }
  & {
    /** Every published event. */
    '*': (data: Events[keyof Events] | UnknownEvent, event: EventInfo) => void
    /** An attempt failed, or a stream was lost. Not to be taken for the published `error`. */
    connection_error: (error: RealtimeError) => void
  }

/**
 * - `connecting`: the first attempt is under way
 * - `open`: what is published comes
 * - `reconnecting`: there was a stream, or an attempt; another one is under way, or waits for its time
 * - `closed`: nothing is under way any more: by `close()`, or because it was given up
 */
export type ConnectionState = 'connecting' | 'open' | 'reconnecting' | 'closed'
