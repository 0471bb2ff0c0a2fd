import type { Logger } from 'pino'
import { BadToken, CredentialMissing } from '../errors.js'
import { isMerchantId } from '../message.js'
import { bearerToken, cookieToken } from './credential.js'
import { KeySet } from './jwks.js'
import type { Strategy } from './strategy.js'
import { checkClaims, verifierOf, type Expected, type Verify } from './token.js'

export interface JwtOptions extends Expected {
  /** What tokens are signed with: a shared secret, or else one of the keys that are published at an address. */
  readonly secret: string | undefined
  readonly jwksUrl: string | undefined
  /** The claim that names the merchant. */
  readonly merchantClaim: string
  /** The cookie that may carry a token. */
  readonly cookie: string | undefined
  readonly log: Logger
  /** Ends what goes on in the background. */
  readonly signal: AbortSignal
}

/** AUTH_MODE=jwt: whoever has a token of the issuer may listen to the merchant that it names. */
export function jwtStrategy (options: JwtOptions): Strategy {
  const { merchantClaim, cookie } = options
  const verify = verifyOf(options)
  warnOfAnything(options)
  return {
    outlived: false,
    async authenticate (request) {
      const token = bearerToken(request) ?? cookieToken(request, cookie)
      if (token === undefined) throw new CredentialMissing(cookie === undefined ? 'Authorization: Bearer <token>' : 'Authorization: Bearer <token>, or the cookie')
      const claims = await verify(token)
      const expiresAt = checkClaims(claims, options)
      const merchantId = claims[merchantClaim]
      if (typeof merchantId !== 'string' || !isMerchantId(merchantId)) throw new BadToken('it names no merchant')
      return { merchantId, expiresAt }
    },
  }
}

function verifyOf ({ secret, jwksUrl, log, signal }: JwtOptions): Verify {
  if (secret !== undefined) return verifierOf(secret, ['HS256'])
  const keys = new KeySet({ url: jwksUrl!, log, signal })
  return async (token) => keys.verify(token)
}

/** What an operator may have forgotten to set. */
function warnOfAnything ({ issuer, audience, log }: JwtOptions): void {
  const any = Object.entries({ issuer, audience }).filter(([, value]) => value === undefined).map(([name]) => `any ${name}`)
  if (any.length > 0) log.warn(`tokens of ${any.join(' and ')} are accepted; see JWT_ISSUER and JWT_AUDIENCE`)
}
