import type { RealtimeError } from './errors.js'

/*
 * How a stream is had. The client knows nothing but this: whatever can say these things (a `fetch`, an EventSource, later
 * a connection that the tabs of a browser share) can be its transport.
 */

/** One attempt to have the stream. */
export interface StreamRequest {
  /** With all that belongs into the query: merchant, topics, ticket, and the cursor of a client that comes back. */
  readonly url: string
  /** For `Authorization: Bearer`; `undefined` where the query or a cookie says who the client is. */
  readonly token: string | undefined
  readonly credentials: CredentialsMode
  /** The names of the events that somebody listens to. */
  readonly names: readonly string[]
}

/** Whether cookies go along, as `fetch` has it. */
export type CredentialsMode = 'omit' | 'same-origin' | 'include'

/** One event as it came. */
export interface StreamEvent {
  /** `message` where the stream gives no name. */
  readonly name: string
  readonly data: string
  /** The cursor that came with it; `undefined` where none did. */
  readonly id: string | undefined
}

/** Who is told of what comes. Never before `connect` has returned; what is told after the end, or a close, is not heeded. */
export interface StreamObserver {
  /** Bytes came, whatever they say. */
  alive (): void
  /** The client is here now, and would come back with this; told before the event that it came with, if any. */
  moved (id: string): void
  /** So long the service asks to wait before a reconnect, in milliseconds. */
  retry (ms: number): void
  event (event: StreamEvent): void
  /** It is over, or never was, for this reason. */
  ended (error: RealtimeError): void
}

/** One attempt that is under way, or a stream. */
export interface Connection {
  /** Somebody listens to events of this name, too. */
  listen (name: string): void
  close (): void
}

export interface Transport {
  /** Whether heartbeats are among the bytes that it tells of, so that silence means that a connection is dead. */
  readonly heartbeats: boolean
  /** Whether it can send a token. */
  readonly tokens: boolean
  /** Begins an attempt. Never throws: what goes wrong, `ended` is told. */
  connect (request: StreamRequest, observer: StreamObserver): Connection
}
