export { createRealtimeClient, type On, type RealtimeClient, type RealtimeOptions } from './client.js'
export type { CredentialRequest, GetCredential } from './connector.js'
export { RealtimeError } from './errors.js'
export type {
  CloseEvent, CompletionEvent, ConnectionState, ErrorEvent, EventInfo, GapEvent, Handlers, OwnEvents, ProgressEvent, PublishedEvents, StageEvent,
  UnknownEvent,
} from './events.js'
export { eventSourceTransport, type EventSourceClass, type SourceEvent } from './eventsource-transport.js'
export { fetchTransport, type Fetch, type FetchAnswer, type FetchInit } from './fetch-transport.js'
export type { Connection, CredentialsMode, StreamEvent, StreamObserver, StreamRequest, Transport } from './transport.js'
