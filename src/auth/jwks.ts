import { createPublicKey, type JsonWebKeyInput } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { AuthAway, BadToken } from '../errors.js'
import { Throttle } from '../log.js'
import { MALFORMED, verifierOf, type Algorithm, type Claims } from './token.js'

export interface KeySetOptions {
  readonly url: string
  readonly log: Logger
  /** Ends all fetching: what is under way, and, once a timer finds it aborted, what was to come. */
  readonly signal: AbortSignal
  /** How old the keys get before they are fetched anew. */
  readonly maxAgeMs?: number
  /** How soon a fetch that failed is tried again. */
  readonly retryMs?: number
  /** How often, at most, the set is fetched because of keys that it lacks. */
  readonly cooldownMs?: number
  readonly timeoutMs?: number
}

/** What a token says of the key that it was signed by; not believed yet. */
interface Header {
  readonly kid?: unknown
  readonly alg?: unknown
}

interface Key {
  readonly kid: unknown
  readonly algorithms: readonly Algorithm[]
  readonly verify: (token: string) => Claims
}

const MAX_BYTES = 262_144
const MIN_RSA_BITS = 2_048

/** Which algorithms a kind of key is for. What is not here is not used: symmetric keys, and curves that JWTs hardly use. */
const FAMILIES: ReadonlyMap<string, readonly Algorithm[]> = new Map<string, readonly Algorithm[]>([
  ['RSA', ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
  ['EC P-256', ['ES256']],
  ['EC P-384', ['ES384']],
  ['EC P-521', ['ES512']],
  ['OKP Ed25519', ['EdDSA']],
])

/**
 * The keys that an issuer publishes (RFC 7517), kept up to date in the background from the moment this is made. Whoever
 * shows a token by a known key never waits for the issuer, and when that cannot be reached the keys that there are go on
 * being used.
 */
export class KeySet {
  readonly #options: Required<KeySetOptions>
  readonly #failureLog = new Throttle(60_000)
  #keys: readonly Key[] | undefined
  /** How the last fetch ended; `undefined` before the first did. */
  #upToDate: boolean | undefined
  #flight: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #look: Promise<void> | undefined
  #lookedAt = -Infinity

  constructor (options: KeySetOptions) {
    this.#options = { maxAgeMs: 600_000, retryMs: 5_000, cooldownMs: 5_000, timeoutMs: 5_000, ...options }
    void this.#refresh()
  }

  /**
   * What a token says, if it was signed by one of the keys.
   * @throws {BadToken} if it was not; {AuthAway} if that cannot be told while the issuer is away.
   */
  async verify (token: string): Promise<Claims> {
    const header = headerOf(token)
    if (this.#keys === undefined) await this.#flight
    if (this.#keys === undefined) throw new AuthAway()
    if (header.kid === undefined) return this.#verifyNameless(token, header)
    if (!this.#has(header.kid)) {
      await this.#lookAgain()
      if (this.#upToDate !== true && !this.#has(header.kid)) throw new AuthAway()
    }
    return this.#keyFor(header).verify(token)
  }

  /** A token that does not name its key may be by a new one, too; anything may be, so that nobody waits for a look to be due. */
  async #verifyNameless (token: string, header: Header): Promise<Claims> {
    try {
      return this.#keyFor(header).verify(token)
    } catch (error) {
      if (this.#untilDue() > 0) throw error
      await this.#lookAgain()
      return this.#keyFor(header).verify(token)
    }
  }

  #keyFor ({ kid, alg }: Header): Key {
    const [key, another] = this.#keys!.filter((key) => (kid === undefined || key.kid === kid) && (key.algorithms as readonly unknown[]).includes(alg))
    if (key === undefined) throw new BadToken('no published key fits its kid and alg')
    if (kid === undefined && another !== undefined) throw new BadToken('it does not say by its kid which key signed it')
    return key
  }

  #has (kid: unknown): boolean {
    return this.#keys?.some((key) => key.kid === kid) === true
  }

  #untilDue (): number {
    return this.#lookedAt + this.#options.cooldownMs - performance.now()
  }

  /**
   * Perhaps a key is a new one. Anybody can make up tokens by unknown keys: the issuer is asked once per cooldown at
   * most, and all that come before that wait for it, as to refuse a good token would be final.
   */
  async #lookAgain (): Promise<void> {
    this.#look ??= this.#lookWhenDue().finally(() => { this.#look = undefined })
    return this.#look
  }

  async #lookWhenDue (): Promise<void> {
    const ms = this.#untilDue()
    // Rejects for the signal only: what is fetched at the end is fetched in vain, which is told.
    if (ms > 0) await sleep(ms, undefined, { signal: this.#options.signal, ref: false }).catch(() => {})
    this.#lookedAt = performance.now()
    await this.#refresh()
  }

  /** Never rejects, and is under way once at most. */
  async #refresh (): Promise<void> {
    this.#flight ??= this.#load().finally(() => { this.#flight = undefined })
    return this.#flight
  }

  async #load (): Promise<void> {
    const { signal, maxAgeMs, retryMs, log } = this.#options
    clearTimeout(this.#timer)
    try {
      const published = await this.#fetch()
      this.#keys = published.map(keyOf).filter((key) => key !== undefined)
      if (this.#upToDate !== true) log.info({ keys: this.#keys.length, skipped: published.length - this.#keys.length }, 'the key set was fetched')
      this.#upToDate = true
    } catch (error) {
      this.#upToDate = false
      if (signal.aborted) return
      const heldBack = this.#failureLog.pass()
      if (heldBack !== undefined) log.warn({ why: whyOf(error as Error), heldBack }, 'the key set cannot be fetched')
    }
    this.#timer = setTimeout(() => { void this.#refresh() }, this.#upToDate ? maxAgeMs : retryMs).unref()
  }

  async #fetch (): Promise<readonly unknown[]> {
    const { url, signal, timeoutMs } = this.#options
    const response = await fetch(url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      // Where keys come from is for the operator to say.
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel()
      throw new Error(`the answer has status ${response.status}`)
    }
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length
      if (bytes > MAX_BYTES) throw new Error(`the answer has more than ${MAX_BYTES} bytes`)
      chunks.push(chunk)
    }
    const { keys } = JSON.parse(Buffer.concat(chunks).toString()) as { keys?: unknown }
    if (!Array.isArray(keys)) throw new Error('the answer is no key set')
    return keys as unknown[]
  }
}

/** `fetch failed` alone would tell nothing. */
function whyOf ({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}

function headerOf (token: string): Header {
  try {
    const { kid, alg } = JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString()) as Header
    return { kid, alg }
  } catch {
    throw new BadToken(MALFORMED) // The parser's message quotes the token.
  }
}

/** A key to verify by, or `undefined` if it is not one for that, or not a good one. */
function keyOf (published: unknown): Key | undefined {
  try {
    const jwk = published as JsonWebKeyInput['key']
    const family = FAMILIES.get(jwk.crv === undefined ? String(jwk.kty) : `${jwk.kty} ${jwk.crv}`)
    const algorithms = jwk.alg === undefined ? family : family?.filter((algorithm) => algorithm === jwk.alg)
    if (algorithms === undefined || algorithms.length === 0) return undefined
    if ((jwk.use ?? 'sig') !== 'sig' || (Array.isArray(jwk.key_ops) && !jwk.key_ops.includes('verify'))) return undefined
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    if ((key.asymmetricKeyDetails?.modulusLength ?? Infinity) < MIN_RSA_BITS) return undefined
    return { kid: jwk.kid, algorithms, verify: verifierOf(key.export({ type: 'spki', format: 'pem' }) as string, algorithms) }
  } catch {
    return undefined // One malformed key must not take the others with it; the log says how many were skipped.
  }
}
