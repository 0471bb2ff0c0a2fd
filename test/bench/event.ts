/*
 * The events that the benchmark publishes: of those that the service knows, each of the same size, with the number and
 * the time of publication at fixed places, so that a client can read both without parsing JSON.
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

/** What the events of a run tell of. With the number of an event, it determines all but the time. */
export interface Story {
  /** So many purchase orders, in turn; if absent, each event tells of one of its own. */
  readonly orders?: number
  /** Of every so many events the last is a completion, the others are progress; if absent, all are. */
  readonly completionEvery?: number
}

/** The length of every payload; a frame of `event:` and `data:` is longer by 16 bytes and the topic. */
export const PAYLOAD_BYTES = 196

const NUMBER_DIGITS = 12
const TIME_DIGITS = 16
const BEFORE_NUMBER = '{"message":"'
const BEFORE_TIME = ' published at '
const NUMBER_AT = BEFORE_NUMBER.length
const TIME_AT = NUMBER_AT + NUMBER_DIGITS + BEFORE_TIME.length
/** In a payload: a letter that tells the benchmark's events from the service's own, which begin with their type. */
export const MARK_AT = '{"'.length
export const MARK = 'm'.charCodeAt(0)

const PADDING = { progress: paddingOf({}), completion: paddingOf({ completionEvery: 1 }) }

export function encode (event: BenchEvent, story: Story): string {
  return compose(event, story, PADDING[topicOf(event.number, story)])
}

/** Reads a payload that {@link encode} made, as a client would: by its fields, not by their places. */
export function decode (payload: string): BenchEvent {
  const { message, timestamp } = JSON.parse(payload) as { message: string, timestamp: number }
  const [number, publishedAt] = (message.match(/\d+/g) ?? []).map(Number)
  return { number: number ?? NaN, publishedAt: publishedAt ?? NaN, timestamp }
}

/** Whether {@link encode} made this payload, and not the service itself: those of its control events begin otherwise. */
export function isPublished (payload: string): boolean {
  return payload.charCodeAt(MARK_AT) === MARK
}

/** The number of the event whose payload begins at `at`. */
export function numberAt (bytes: Uint8Array, at: number): number {
  return digitsAt(bytes, at + NUMBER_AT, NUMBER_DIGITS)
}

/** When the event whose payload begins at `at` was published. */
export function publishedAtAt (bytes: Uint8Array, at: number): number {
  return digitsAt(bytes, at + TIME_AT, TIME_DIGITS)
}

/** What an event is, and the last part of its channel. */
export function topicOf (number: number, { completionEvery }: Story): 'progress' | 'completion' {
  return completionEvery !== undefined && number % completionEvery === completionEvery - 1 ? 'completion' : 'progress'
}

/** Which purchase order an event tells of. */
export function orderOf (number: number, { orders = Infinity }: Story): number {
  return number % orders
}

/** How many of the events number 0 to `to` (exclusive) are completions. */
export function completionsBefore (to: number, { completionEvery = Infinity }: Story): number {
  return Math.floor(to / completionEvery)
}

function compose ({ number, publishedAt, timestamp }: BenchEvent, story: Story, padding: string): string {
  const [nth, order, time] = [digits(number, NUMBER_DIGITS), digits(orderOf(number, story), NUMBER_DIGITS), digits(publishedAt, TIME_DIGITS)]
  const own = topicOf(number, story) === 'progress' ? `"type":"progress","progress":${10 + number % 90}` : '"type":"completion","stage":"checked","confidence":1'
  return `${BEFORE_NUMBER}${nth}${BEFORE_TIME}${time} us",${own},"poId":"po-${order}","workflowId":"wf-${padding}","timestamp":${timestamp}}`
}

function paddingOf (story: Story): string {
  return 'x'.repeat(PAYLOAD_BYTES - compose({ number: 0, publishedAt: 0, timestamp: Date.now() }, story, '').length)
}

function digits (value: number, width: number): string {
  return String(value).padStart(width, '0')
}

function digitsAt (bytes: Uint8Array, at: number, digits: number): number {
  let value = 0
  for (let i = at; i < at + digits; i++) value = value * 10 + (bytes[i]! - 48)
  return value
}
