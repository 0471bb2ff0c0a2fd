import { PublishError } from './errors.js'
import type { Outgoing } from './outgoing.js'
import { Away, type Outcome, type Transport } from './transport.js'

export interface HttpTarget {
  /** The service: `https://realtime.example.com`, and whatever path a proxy puts in front. */
  readonly url: string
  /** A PUBLISH_KEY of the service; none in development. */
  readonly key?: string | undefined
  /** In the place of the global one. */
  readonly fetch?: typeof fetch | undefined
}

/** Statuses that will be others in a while. 429 and 503 say when. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])
/** The longest that a Retry-After is obeyed, in milliseconds: whoever says a day most likely means another client. */
const MAX_RETRY_AFTER_MS = 60_000

/** `POST /api/realtime/merchants/:merchantId/events` by `fetch`: one request per merchant and batch. DESIGN §4. */
export class HttpTransport implements Transport {
  /** As many as the service takes in one request. */
  readonly maxBatch = 100
  readonly #base: string
  readonly #headers: Record<string, string>
  readonly #fetch: typeof fetch

  constructor ({ url, key, fetch = globalThis.fetch }: HttpTarget) {
    if (!isPlainUrl(url)) throw new PublishError('RTF_BAD_OPTION', 'http.url takes the URL of the service, such as https://realtime.example.com, without credentials, query or hash')
    if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) throw new PublishError('RTF_BAD_OPTION', 'http.key takes a PUBLISH_KEY: visible ASCII, no spaces')
    this.#base = new URL('api/realtime/merchants/', url.replace(/\/?$/, '/')).href
    this.#headers = { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) }
    this.#fetch = fetch
  }

  send (batch: readonly Outgoing[], signal: AbortSignal): ReadonlyArray<Promise<Outcome>> {
    const outcomes = new Map<Outgoing, Promise<Outcome>>()
    for (const events of byMerchant(batch)) {
      const all = this.#sendAll(events, signal)
      for (const event of events) outcomes.set(event, all.then((each) => each.get(event)))
    }
    return batch.map(async (event) => outcomes.get(event))
  }

  close (): void {}

  /** The service checks all before it sends any: when it refuses one, the others are sent without it. */
  async #sendAll (events: readonly Outgoing[], signal: AbortSignal): Promise<ReadonlyMap<Outgoing, Outcome>> {
    const outcomes = new Map<Outgoing, Outcome>()
    let rest = [...events]
    while (rest.length > 0) {
      const { outcome, blamed } = await this.#post(rest, signal)
      const concerned = blamed === undefined ? rest : rest.slice(blamed, blamed + 1)
      for (const event of concerned) outcomes.set(event, outcome)
      rest = rest.filter((event) => !outcomes.has(event))
    }
    return outcomes
  }

  /** One request for events of one merchant: one outcome for all, or for the one of them that is to blame. */
  async #post (events: readonly Outgoing[], signal: AbortSignal): Promise<{ outcome: Outcome, blamed?: number }> {
    const body = `[${events.map(({ payload }) => payload).join(',')}]`
    try {
      const answer = await this.#fetch(`${this.#base}${events[0]!.merchantId}/events`, { method: 'POST', headers: this.#headers, body, signal, redirect: 'manual' })
      // Read to its end, whatever it is: or the connection could not be used again.
      const said = saidIn(await answer.text())
      if (answer.status === 202) return { outcome: undefined }
      const what = `${answer.status} ${said}`.trimEnd()
      if (PASSING.has(answer.status)) return { outcome: new Away(`the service answers ${what}`, { retryAfterMs: retryAfterMs(answer.headers) }) }
      const outcome = new PublishError('RTF_REFUSED', `the service refuses it: ${what}`)
      const blamed = Number(/: event (\d+)\b/.exec(said)?.[1] ?? NaN)
      return blamed < events.length ? { outcome, blamed } : { outcome }
    } catch (error) {
      return { outcome: new Away(`the service cannot be reached: ${reasonOf(error)}`, { cause: error }) }
    }
  }
}

function byMerchant (batch: readonly Outgoing[]): Outgoing[][] {
  const groups = new Map<string, Outgoing[]>()
  for (const event of batch) {
    const group = groups.get(event.merchantId)
    if (group === undefined) groups.set(event.merchantId, [event])
    else group.push(event)
  }
  return [...groups.values()]
}

/** The service's code and message; nothing of what a proxy may have answered in its place. */
function saidIn (text: string): string {
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown, message?: unknown }
    return typeof code === 'string' && typeof message === 'string' ? `${code}: ${message}` : ''
  } catch {
    return '' // Not the service's answer: its status says all there is.
  }
}

/** RFC 9110 §10.2.3: seconds, or a date, by the clock of who says it. */
function retryAfterMs (headers: Headers): number {
  const value = headers.get('retry-after')
  if (value === null) return 0
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - (Date.parse(headers.get('date') ?? '') || Date.now())
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS)
}

/** fetch says `fetch failed`, and why in its cause; without one, it may quote what it was given. */
function reasonOf (error: unknown): string {
  const { name, cause, code } = (error ?? {}) as { name?: string, cause?: { message?: string, code?: string }, code?: string }
  return cause?.message || cause?.code || code?.toString() || name || 'unknown'
}

function isPlainUrl (text: string): boolean {
  if (typeof text !== 'string' || !URL.canParse(text)) return false
  const { protocol, username, password, search, hash } = new URL(text)
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === ''
}
