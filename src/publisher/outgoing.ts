import { isMerchantId, publishable, type PublishableEvent } from '../message.js'
import { PublishError } from './errors.js'

/** An event that has been checked and written. */
export interface Outgoing {
  readonly merchantId: string
  readonly topic: string
  /** One JSON object. */
  readonly payload: string
}

/** Checks and writes an event that somebody wants to publish, whatever it is; never throws. The error is `RTF_BAD_MERCHANT_ID`, `RTF_BAD_EVENT` or `RTF_EVENT_TOO_LARGE`. */
export function outgoing (merchantId: string, value: unknown, maxBytes: number): Outgoing | PublishError {
  if (typeof merchantId !== 'string' || !isMerchantId(merchantId)) {
    return new PublishError('RTF_BAD_MERCHANT_ID', 'a merchant id is 1–128 of A–Z a–z 0–9 . _ - and starts with a letter or digit', { field: 'merchantId' })
  }
  const result = publishable(value, Date.now())
  if ('problem' in result) return new PublishError('RTF_BAD_EVENT', `${result.field} ${result.problem}`, { field: result.field })
  const payload = written(result.event)
  if (payload instanceof PublishError) return payload
  const bytes = Buffer.byteLength(payload)
  if (bytes > maxBytes) return new PublishError('RTF_EVENT_TOO_LARGE', `the event has ${bytes} bytes, more than ${maxBytes}`)
  return { merchantId, topic: result.event.type, payload }
}

function written (event: PublishableEvent): string | PublishError {
  try {
    const text = JSON.stringify(event) as string | undefined
    // With a toJSON of its own, an event can become anything.
    return text?.startsWith('{') ? text : new PublishError('RTF_BAD_EVENT', 'event is not an object as JSON', { field: 'event' })
  } catch (cause) {
    const field = Object.keys(event).find((field) => !isWritable(event[field])) ?? 'event'
    return new PublishError('RTF_BAD_EVENT', `${field} cannot be written as JSON: ${(cause as Error).message.split('\n', 1)[0]}`, { field, cause })
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
