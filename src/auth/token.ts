import { createVerifier, type Algorithm } from 'fast-jwt'
import { BadToken, TokenExpired } from '../errors.js'

export type { Algorithm } from 'fast-jwt'

/** What a token says; believed once its signature was verified. */
export type Claims = Readonly<Record<string, unknown>>

/** Gives what a token says, or rejects it. */
export type Verify = (token: string) => Claims | Promise<Claims>

/** What a token must say of itself; what is `undefined` may be anything. */
export interface Expected {
  readonly issuer: string | undefined
  readonly audience: string | undefined
}

/** By so much the clocks of the issuer and of this machine may differ, in milliseconds. */
const LEEWAY_MS = 5_000

/** The library's own messages are told to nobody: some have parts of the token in them. */
const REASONS: Readonly<Record<string, string>> = {
  FAST_JWT_INVALID_ALGORITHM: 'its alg is not one of the key it is checked with',
  FAST_JWT_INVALID_SIGNATURE: 'its signature is wrong',
  FAST_JWT_MISSING_SIGNATURE: 'it is not signed',
  FAST_JWT_VERIFY_ERROR: 'its signature is wrong',
  FAST_JWT_INVALID_CRIT_HEADER: 'it has a crit that is not understood',
}

export const MALFORMED = 'it is no well-formed JWT'

/** Verifies signatures by one key and the algorithms that are meant for it, and nothing else: {@link checkClaims} does that. */
export function verifierOf (key: string, algorithms: readonly Algorithm[]): (token: string) => Claims {
  // The library's own checks of claims let absent ones pass, throw a RangeError at absurd times, and do not say in their
  // code which claim it was.
  const verify = createVerifier({ key, algorithms: [...algorithms], cache: false, ignoreExpiration: true, ignoreNotBefore: true })
  return (token) => {
    try {
      return verify(token) as Claims
    } catch (error) {
      throw new BadToken(REASONS[(error as { code: string }).code] ?? MALFORMED)
    }
  }
}

/**
 * Whether a token that says this is meant for this service, and now: `exp` is required, `nbf` heeded.
 * @returns when it runs out, in Unix milliseconds; in the future, be it by the leeway.
 * @throws {BadToken | TokenExpired}
 */
export function checkClaims ({ iss, aud, exp, nbf }: Claims, { issuer, audience }: Expected, now = Date.now()): number {
  if (issuer !== undefined && iss !== issuer) throw new BadToken('its iss is not the expected one')
  if (audience !== undefined && !(Array.isArray(aud) ? aud : [aud]).includes(audience)) throw new BadToken('its aud is not the expected one')
  if (nbf !== undefined && !isTime(nbf)) throw new BadToken('its nbf is no time')
  if (!isTime(exp)) throw new BadToken(exp === undefined ? 'it has no exp' : 'its exp is no time')
  const expiresAt = exp * 1_000
  if (now >= expiresAt + LEEWAY_MS) throw new TokenExpired()
  if (nbf !== undefined && now < nbf * 1_000 - LEEWAY_MS) throw new BadToken('it is not valid yet')
  return now < expiresAt ? expiresAt : expiresAt + LEEWAY_MS
}

/** A NumericDate (RFC 7519 §2) that is finite in milliseconds, too: 1e400 is JSON, and becomes Infinity. */
function isTime (value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value * 1_000)
}
