import { createParser } from 'eventsource-parser'
import { RealtimeError } from './errors.js'
import type { Connection, CredentialsMode, StreamObserver, StreamRequest, Transport } from './transport.js'

/** As much of an answer as is needed. */
export interface FetchAnswer {
  readonly ok: boolean
  readonly status: number
  readonly headers: { get (name: string): string | null }
  readonly body: { getReader (): { read (): Promise<{ readonly done: boolean, readonly value?: Uint8Array | undefined }> } } | null
  json (): Promise<unknown>
}

export interface FetchInit {
  readonly headers: Record<string, string>
  readonly credentials: CredentialsMode
  readonly cache: 'no-store'
  readonly signal: AbortSignal
}

/** A `fetch`, the platform's own or another one, whose answers can be read while they come. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchAnswer>

/** Sees all that there is to see: statuses, `Retry-After`, heartbeats and their cursors; and can send a token. */
export function fetchTransport (fetch: Fetch = (url, init) => globalThis.fetch(url, init)): Transport {
  return {
    heartbeats: true,
    tokens: true,
    connect (request, observer) {
      const abort = new AbortController()
      read(fetch, request, observer, abort.signal).catch((error: unknown) => {
        observer.ended(error instanceof RealtimeError ? error : lost(error))
      })
      return {
        listen () {}, // It tells of all there are.
        close () { abort.abort() },
      } satisfies Connection
    },
  }
}

/** Always rejects, as every stream ends some time. */
async function read (fetch: Fetch, { url, token, credentials }: StreamRequest, observer: StreamObserver, signal: AbortSignal): Promise<never> {
  // Nothing but Authorization needs a preflight: so the cursor is in the query.
  const headers = { accept: 'text/event-stream', ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  const answer = await fetch(url, { headers, credentials, cache: 'no-store', signal })
  if (!answer.ok) throw await refusal(answer)
  const type = answer.headers.get('content-type') ?? 'nothing'
  if (answer.body === null || !/^text\/event-stream\b/i.test(type)) {
    throw new RealtimeError('NOT_A_STREAM', `the answer is no stream of events, but ${type}`, { status: answer.status })
  }
  const reader = answer.body.getReader()
  const text = new TextDecoder()
  const parser = createParser({
    onId: (id) => { observer.moved(id) },
    onRetry: (ms) => { observer.retry(ms) },
    onEvent: ({ event = 'message', data, id }) => { observer.event({ name: event, data, id }) },
  })
  for (;;) {
    const { done, value } = await reader.read()
    if (done) throw lost()
    observer.alive()
    parser.feed(text.decode(value, { stream: true }))
  }
}

async function refusal (answer: FetchAnswer): Promise<RealtimeError> {
  const { status } = answer
  // Whoever is between here and the service may answer in whatever form.
  const told = await answer.json().catch(() => undefined) as { readonly code?: unknown, readonly message?: unknown } | null | undefined
  const code = typeof told?.code === 'string' ? told.code : `HTTP_${status}`
  const message = typeof told?.message === 'string' ? told.message : `the stream was refused with status ${status}`
  return new RealtimeError(code, message, { status, retryAfterMs: retryAfter(answer.headers.get('retry-after')) })
}

/** Seconds, or a date (RFC 9110 §10.2.3). */
function retryAfter (value: string | null): number | undefined {
  const ms = /^\d+$/.test(value ?? '') ? Number(value) * 1_000 : Date.parse(value ?? '') - Date.now()
  return ms >= 0 ? ms : undefined
}

function lost (cause?: unknown): RealtimeError {
  return new RealtimeError('CONNECTION_LOST', 'the connection was lost, or could not be made', { cause })
}
