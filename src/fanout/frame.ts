import type { Message } from '../message.js'
import type { Gap } from './gap.js'

/*
 * The bytes of a stream, as the HTML standard reads them ("Server-sent events", §9.2.5–9.2.6): blocks of fields, each
 * ended by an empty line. Names and ids come in checked (message.ts, cursor.ts), so that no field can be injected;
 * data is whatever JSON was published.
 */

const LINE_BREAK = /\r\n|\r|\n/

/** Why the service ends a stream and tells the client so. */
export type FarewellReason = 'draining' | 'max_age' | 'token_expired' | 'over_capacity' | 'unavailable'

/** Blocks that are sent together or not at all. */
export interface Frame {
  readonly text: string
  /** Its length in bytes. */
  readonly bytes: number
  /** What was published, where it is that. */
  readonly message: Message | undefined
}

/** A published event, encoded once for all who get it. The payload is passed on unchanged but for being split at its line breaks. */
export class EventFrame implements Frame {
  readonly message: Message
  readonly text: string
  #bytes: number | undefined

  /** @param id its cursor; none where there is no history to come back to. */
  constructor (message: Message, id: string | undefined) {
    this.message = message
    this.text = `${idLine(id)}event: ${message.name}\ndata: ${dataLines(message.payload)}\n\n`
  }

  get bytes (): number {
    this.#bytes ??= Buffer.byteLength(this.text)
    return this.#bytes
  }
}

/** What the service itself has to say, all of it ASCII. */
export class ControlFrame implements Frame {
  readonly message = undefined
  readonly text: string

  constructor (text: string) {
    this.text = text
  }

  get bytes (): number {
    return this.text.length
  }
}

/** Frames as one write. */
export function join (frames: readonly Frame[]): Buffer {
  let text = ''
  for (const frame of frames) text += frame.text
  return Buffer.from(text)
}

/** The first event of a stream: unnamed, so that `onmessage` sees it. */
export function connected (id: string, merchantId: string, now: number): string {
  return `${idLine(id)}data: ${JSON.stringify({ type: 'connected', merchantId, timestamp: now })}\n\n`
}

/**
 * A comment, for every proxy on the way, and an id: a block without data fires no event, but moves the client's Last-Event-ID
 * ("dispatch the event", steps 1 and 2), so that the cursor of one that is sent nothing stays fresh.
 */
export function heartbeat (id: string, now: number): string {
  return `: heartbeat ${now}\n${idLine(id)}\n`
}

/** Events may be missing here. */
export function gap (id: string, { reason, from, to }: Gap): string {
  return `${idLine(id)}event: gap\ndata: ${JSON.stringify({ type: 'gap', reason, from, to })}\n\n`
}

/** How long a client is to wait before it reconnects; a block of its own, valid from then on. */
export function retry (ms: number): string {
  return `retry: ${Math.round(ms)}\n\n`
}

/** The last event of a stream; without an id, the client keeps the one it has. */
export function close (id: string | undefined, reason: FarewellReason, reconnect: boolean): string {
  return `${idLine(id)}event: close\ndata: ${JSON.stringify({ type: 'close', reason, reconnect })}\n\n`
}

/** Around `ms`, spread evenly over half to one and a half of it, so that clients told together do not return together. */
export function jittered (ms: number): number {
  return ms * (0.5 + Math.random())
}

function idLine (id: string | undefined): string {
  return id === undefined ? '' : `id: ${id}\n`
}

function dataLines (payload: string): string {
  return LINE_BREAK.test(payload) ? payload.split(LINE_BREAK).join('\ndata: ') : payload
}
