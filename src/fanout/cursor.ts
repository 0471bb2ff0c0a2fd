import { hash, randomBytes } from 'node:crypto'

/*
 * Event ids that any instance understands (DESIGN §3): `<arrivedMs>.<hash>.<epoch>` of an event, and
 * `<arrivedMs>.<hash>.<epoch>.<caughtUpMs>` of a moment. Times are Unix milliseconds by the clock of the instance that
 * gave the id. An epoch ends with three characters that tell the merchant, so that another merchant's cursor is known as
 * such, but for one in 262,144.
 */

/** How far instances may be apart: by their clocks, and by how long Redis takes to reach one later than another. In milliseconds. */
export const SKEW_MS = 5_000

/** What stands for the event where none of the merchant is known. */
const NO_EVENT = '-'
const TAG_LENGTH = 3
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const CURSOR = /^(\d{1,15})\.([\w-]{8}|-)\.([\w-]{7})(?:\.(\d{1,15}))?$/

/** A place in a merchant's events: right after one, and as late as it is known that no further one had come. */
export interface Cursor {
  /** When the event came in; where there is none, the same as `caughtUpMs`. */
  readonly arrivedMs: number
  /** The event's digest; `undefined` where none is known. */
  readonly hash: string | undefined
  readonly epoch: string
  /** Of all that was published until then, the event is the merchant's last. */
  readonly caughtUpMs: number | undefined
}

/** Short, and the same on every instance for the same topic and payload: seven characters of the one, one of the other. */
export function digestOf (topic: string, payload: Buffer): string {
  // Bytes as they are: half the time that one text of both takes (0.34 µs against 0.65).
  return hash('sha256', payload, 'base64url').slice(0, 7) + checksumOf(topic)
}

function checksumOf (topic: string): string {
  let sum = 0
  for (let i = 0; i < topic.length; i++) sum = sum * 31 + topic.charCodeAt(i) & 0xffffff
  return ALPHABET[sum & 63]!
}

/** What an instance calls a span of time in which it has missed nothing; no two have the same. */
export function newEpoch (): string {
  return randomBytes(3).toString('base64url')
}

/** What the cursors of a merchant say instead of the epoch itself. */
export function epochOf (epoch: string, merchantId: string): string {
  return epoch + tagOf(merchantId)
}

/** @param epoch by {@link epochOf}. */
export function formatCursor ({ arrivedMs, hash = NO_EVENT, epoch, caughtUpMs }: Cursor): string {
  const event = `${arrivedMs}.${hash}.${epoch}`
  return caughtUpMs === undefined ? event : `${event}.${caughtUpMs}`
}

/** `undefined` for what is no cursor, or another merchant's. Takes anything: it comes from clients. */
export function parseCursor (text: string, merchantId: string): Cursor | undefined {
  const [, arrivedMs, hash, epoch, caughtUpMs] = CURSOR.exec(text) ?? []
  if (epoch === undefined || !epoch.endsWith(tagOf(merchantId))) return undefined
  if (hash === NO_EVENT && caughtUpMs === undefined) return undefined
  return { arrivedMs: Number(arrivedMs), hash: hash === NO_EVENT ? undefined : hash, epoch, caughtUpMs: caughtUpMs === undefined ? undefined : Number(caughtUpMs) }
}

function tagOf (merchantId: string): string {
  return hash('sha256', merchantId, 'base64url').slice(0, TAG_LENGTH)
}
