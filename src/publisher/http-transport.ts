import { PublishError } from './errors.js'
import type { Outgoing } from './outgoing.js'
import { Away, type Outcome, type Transport } from './transport.js'

export interface HttpTarget {
  /** The service: `https://realtime.example.com`, and whatever path a proxy puts in front. */
  readonly url: string
  /** A PUBLISH_KEY of the service; none in development. */
  readonly key?: string
  /** In the place of the global one. */
  readonly fetch?: typeof fetch
}

/** Statuses that will be others in a while. 429 and 503 say when. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])
/** Statuses by which one event of a batch may have spoiled the others. */
const OF_THE_EVENTS: ReadonlySet<number> = new Set([400, 413])

/** `POST /api/realtime/merchants/:merchantId/events` by `fetch`: one request per merchant and batch. DESIGN §4. */
export class HttpTransport implements Transport {
  /** As many as the service takes in one request. */
  readonly maxBatch = 100
  readonly #base: string
  readonly #headers: Record<string, string>
  readonly #fetch: typeof fetch

  constructor ({ url, key, fetch = globalThis.fetch }: HttpTarget) {
    if (!/^https?:\/\/\S/.test(url) || !URL.canParse(url)) throw new PublishError('RTF_BAD_OPTION', 'http.url takes the URL of the service, such as https://realtime.example.com')
    this.#base = new URL('api/realtime/merchants/', url.replace(/\/?$/, '/')).href
    this.#headers = { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) }
    this.#fetch = fetch
  }

  async send (batch: readonly Outgoing[], timeoutMs: number): Promise<readonly Outcome[]> {
    const signal = AbortSignal.timeout(timeoutMs)
    const outcomes = new Map<Outgoing, Outcome>()
    await Promise.all(byMerchant(batch).map(async (events) => {
      const all = await this.#post(events, signal)
      // The service checks all before it sends any: those that are right go when those that are not are out of their way.
      const each = all instanceof Spoiled && events.length > 1 ? await this.#postEach(events, signal) : events.map(() => all)
      for (const [i, event] of events.entries()) outcomes.set(event, each[i])
    }))
    return batch.map((event) => outcomes.get(event))
  }

  close (): void {}

  async #postEach (events: readonly Outgoing[], signal: AbortSignal): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    for (const event of events) outcomes.push(await this.#post([event], signal))
    return outcomes
  }

  /** One request for events of one merchant, all with one outcome. */
  async #post (events: readonly Outgoing[], signal: AbortSignal): Promise<Outcome> {
    const body = `[${events.map(({ payload }) => payload).join(',')}]`
    try {
      const answer = await this.#fetch(`${this.#base}${events[0]!.merchantId}/events`, { method: 'POST', headers: this.#headers, body, signal, redirect: 'manual' })
      // Read to its end, whatever it is: or the connection could not be used again.
      const text = await answer.text()
      if (answer.status === 202) return undefined
      const what = `${answer.status} ${codeOf(text)}`.trimEnd()
      if (PASSING.has(answer.status)) return new Away(`the service answers ${what}`, { retryAfterMs: retryAfterMs(answer.headers.get('retry-after')) })
      return new (OF_THE_EVENTS.has(answer.status) ? Spoiled : PublishError)('RTF_REFUSED', `the service refuses it: ${what}`)
    } catch (error) {
      return new Away(`the service cannot be reached: ${reasonOf(error)}`, { cause: error })
    }
  }
}

/** Refused for one of the events of the request, maybe another one. */
class Spoiled extends PublishError {}

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
function codeOf (text: string): string {
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown, message?: unknown }
    return typeof code === 'string' && typeof message === 'string' ? `${code}: ${message}` : ''
  } catch {
    return '' // Not the service's answer: its status says all there is.
  }
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterMs (value: string | null): number {
  if (value === null) return 0
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : 0
}

/** fetch says `fetch failed`, and why in its cause. */
function reasonOf (error: unknown): string {
  const { cause, message } = error as Error
  return cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || message : message
}
