import { isMerchantId, publishable, type KnownEvent, type PublishableEvent } from '../message.js'
import { PublishError } from './errors.js'

/** An event that has been checked and written. */
export interface Outgoing {
  readonly merchantId: string
  readonly topic: string
  /** One JSON object. */
  readonly payload: string
  readonly bytes: number
}

/**
 * Checks and writes an event that somebody wants to publish, whatever it is; never throws. The error is
 * `RTF_BAD_MERCHANT_ID`, `RTF_BAD_EVENT` or `RTF_EVENT_TOO_LARGE`.
 * @param type of the event, if it is not to say so itself.
 */
export function outgoing (merchantId: string, value: unknown, maxBytes: number, type?: KnownEvent['type']): Outgoing | PublishError {
  if (typeof merchantId !== 'string' || !isMerchantId(merchantId)) {
    return new PublishError('RTF_BAD_MERCHANT_ID', 'a merchant id is 1–128 of A–Z a–z 0–9 . _ - and starts with a letter or digit', { field: 'merchantId' })
  }
  const event = checked(value, type)
  if (event instanceof PublishError) return event
  const payload = written(event)
  if (payload instanceof PublishError) return payload
  const bytes = Buffer.byteLength(payload)
  if (bytes > maxBytes) return new PublishError('RTF_EVENT_TOO_LARGE', `the event has ${bytes} bytes, more than ${maxBytes}`)
  return { merchantId, topic: event.type, payload, bytes }
}

function checked (value: unknown, type: KnownEvent['type'] | undefined): PublishableEvent | PublishError {
  try {
    const result = publishable(type === undefined ? value : { ...value as object, type }, Date.now())
    if ('problem' in result) return badEvent(result.field, result.problem)
    // With a toJSON, it could become anything after it was checked.
    return 'toJSON' in result.event ? badEvent('toJSON', 'is no field that an event can have') : result.event
  } catch (cause) {
    return badEvent('event', `cannot be read: ${firstLineOf(cause)}`, cause) // A getter threw.
  }
}

function written (event: PublishableEvent): string | PublishError {
  try {
    return JSON.stringify(event)
  } catch (cause) {
    return badEvent(Object.keys(event).find((field) => !isWritable(event[field])) ?? 'event', `cannot be written as JSON: ${firstLineOf(cause)}`, cause)
  }
}

function isWritable (value: unknown): boolean {
  try {
    JSON.stringify(value)
    return true
  } catch {
    return false // Why, is said by who tried all of the event.
  }
}

function badEvent (field: string, problem: string, cause?: unknown): PublishError {
  return new PublishError('RTF_BAD_EVENT', `${field} ${problem}`, { field, cause })
}

function firstLineOf (error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0]!
}
