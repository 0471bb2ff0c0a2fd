/*
 * The event that the benchmark publishes: one of the four that the service knows, whose size never changes and whose
 * number and time of publication stand at fixed places, so that a client can read both without parsing JSON.
 */

/** What makes one event different from the next. */
export interface BenchEvent {
  /** Counts the events of a run from 0, over all merchants. */
  readonly number: number
  /** When it was published, by `micros()`. */
  readonly publishedAt: number
  /** The same in Unix milliseconds, which is what the service reads. */
  readonly timestamp: number
}

/** The length of every payload; a frame of `event:` and `data:` is 24 bytes longer. */
export const PAYLOAD_BYTES = 196
export const TOPIC = 'progress'

const NUMBER_DIGITS = 12
const TIME_DIGITS = 16
const BEFORE_NUMBER = '{"type":"progress","poId":"po-'
const BEFORE_TIME = '","message":"published at '
const NUMBER_AT = BEFORE_NUMBER.length
const TIME_AT = NUMBER_AT + NUMBER_DIGITS + BEFORE_TIME.length
const PADDING = 'x'.repeat(PAYLOAD_BYTES - compose({ number: 0, publishedAt: 0, timestamp: Date.now() }, '').length)

export function encode (event: BenchEvent): string {
  return compose(event, PADDING)
}

/** Reads a payload that {@link encode} made, as a client would: by its fields, not by their places. */
export function decode (payload: string): BenchEvent {
  const { poId, message, timestamp } = JSON.parse(payload) as { poId: string, message: string, timestamp: number }
  return {
    number: Number(poId.slice('po-'.length)),
    publishedAt: Number(message.slice('published at '.length, 'published at '.length + TIME_DIGITS)),
    timestamp,
  }
}

/** The number of the event whose payload begins at `at`. */
export function numberAt (bytes: Uint8Array, at: number): number {
  return digitsAt(bytes, at + NUMBER_AT, NUMBER_DIGITS)
}

/** When the event whose payload begins at `at` was published. */
export function publishedAtAt (bytes: Uint8Array, at: number): number {
  return digitsAt(bytes, at + TIME_AT, TIME_DIGITS)
}

function compose ({ number, publishedAt, timestamp }: BenchEvent, padding: string): string {
  const time = String(publishedAt).padStart(TIME_DIGITS, '0')
  return `${BEFORE_NUMBER}${String(number).padStart(NUMBER_DIGITS, '0')}${BEFORE_TIME}${time} us","progress":${10 + number % 90},"workflowId":"wf-${padding}","timestamp":${timestamp}}`
}

function digitsAt (bytes: Uint8Array, at: number, digits: number): number {
  let value = 0
  for (let i = at; i < at + digits; i++) value = value * 10 + (bytes[i]! - 48)
  return value
}
