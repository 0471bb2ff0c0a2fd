import { createHmac, timingSafeEqual } from 'node:crypto'
import { stringifySetCookie } from 'cookie'
import type { FastifyRequest } from 'fastify'
import { BadOpsKey } from '../errors.js'
import { authorizationOf, cookieToken } from './credential.js'
import { Keys } from './keys.js'

const COOKIE = 'realtime_dashboard'
/** How long who has shown a key once need not show it again, in milliseconds. */
const SESSION_MS = 12 * 3_600_000

/**
 * Who may look at the live page: whoever has one of the keys; where there are none, everybody. A browser shows it once and
 * is given a session, as an EventSource sends no header: a time, signed with the key. It is good on every instance that
 * has the key, and for as long as they have it.
 */
export class Operators {
  readonly #keys: Keys
  readonly #secrets: readonly string[]
  readonly #path: string

  /** @param path below which a browser is to send its session. */
  constructor (keys: readonly string[], path: string) {
    this.#keys = new Keys(keys)
    this.#secrets = keys
    this.#path = path
  }

  /** Whether nobody needs a key. */
  get everybody (): boolean {
    return this.#keys.none
  }

  /**
   * Until when whoever asks may look, in Unix milliseconds.
   * @throws {BadOpsKey} for no key or session, or one that is no good; as {@link cookieToken} and {@link authorizationOf} do.
   */
  admit (request: FastifyRequest): number {
    if (this.everybody) return Infinity
    const authorization = authorizationOf(request)
    if (authorization !== undefined) {
      if (this.#keys.indexOf(authorization) === -1) throw new BadOpsKey()
      return Infinity
    }
    return this.#expiryOf(cookieToken(request, COOKIE) ?? '')
  }

  /**
   * A session, as the value of `Set-Cookie`.
   * @throws {BadOpsKey} for a key that is none.
   */
  enter (key: string, secure: boolean): string {
    const secret = this.#secrets[this.#keys.indexOfKey(key)]
    if (secret === undefined) throw new BadOpsKey()
    const expiresAt = String(Date.now() + SESSION_MS)
    const value = `${expiresAt}.${sign(expiresAt, secret)}`
    return stringifySetCookie(COOKIE, value, { path: this.#path, httpOnly: true, sameSite: 'strict', secure, maxAge: SESSION_MS / 1_000 })
  }

  #expiryOf (session: string): number {
    const [, expiresAt, signature] = /^(\d{13})\.([\w-]{43})$/.exec(session) ?? []
    if (expiresAt === undefined || Number(expiresAt) <= Date.now()) throw new BadOpsKey()
    const shown = Buffer.from(signature!)
    // All are looked at, so that it takes the same time whichever it is.
    const good = this.#secrets.filter((secret) => timingSafeEqual(Buffer.from(sign(expiresAt, secret)), shown))
    if (good.length === 0) throw new BadOpsKey()
    return Number(expiresAt)
  }
}

function sign (expiresAt: string, secret: string): string {
  return createHmac('sha256', secret).update(`dashboard session until ${expiresAt}`).digest('base64url')
}
