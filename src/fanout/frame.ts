/*
 * The bytes of a stream, as the HTML standard reads them ("Server-sent events", §9.2.5–9.2.6): blocks of fields, each
 * ended by an empty line. Names and ids come in checked (message.ts, cursor.ts), so that no field can be injected;
 * data is whatever JSON was published.
 */

const LINE_BREAK = /\r\n|\r|\n/

/** Why the service ends a stream and tells the client so. */
export type FarewellReason = 'draining' | 'over_capacity' | 'unavailable'

/** A published event. `payload` is passed on unchanged but for being split at its line breaks. */
export function event (name: string, payload: string): string {
  return `event: ${name}\ndata: ${dataLines(payload)}\n\n`
}

/** The first event of a stream: unnamed, so that `onmessage` sees it. */
export function connected (merchantId: string, now: number): string {
  return `data: ${JSON.stringify({ type: 'connected', merchantId, timestamp: now })}\n\n`
}

/** A comment: no client sees it, every proxy on the way does. */
export function heartbeat (now: number): string {
  return `: heartbeat ${now}\n\n`
}

/** How long a client is to wait before it reconnects; a block of its own, valid from then on. */
export function retry (ms: number): string {
  return `retry: ${Math.round(ms)}\n\n`
}

/** The last event of a stream. */
export function close (reason: FarewellReason, reconnect: boolean): string {
  return `event: close\ndata: ${JSON.stringify({ type: 'close', reason, reconnect })}\n\n`
}

/** Around `ms`, spread evenly over half to one and a half of it, so that clients told together do not return together. */
export function jittered (ms: number): number {
  return ms * (0.5 + Math.random())
}

function dataLines (payload: string): string {
  return LINE_BREAK.test(payload) ? payload.split(LINE_BREAK).join('\ndata: ') : payload
}
