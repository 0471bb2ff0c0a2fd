import { createHmac, timingSafeEqual } from 'node:crypto'
import { BadSignature, BadToken, CredentialMissing, CredentialTwice } from '../errors.js'
import { bearerToken, cookieToken } from './credential.js'
import type { Identity, Strategy } from './strategy.js'
import { checkClaims, verifierOf } from './token.js'

export interface ShopifyOptions {
  /** The app's client id and client secret. */
  readonly apiKey: string
  readonly apiSecret: string
  /** The cookie that may carry a session token. */
  readonly cookie: string | undefined
}

type Query = Readonly<Record<string, string | readonly string[]>>

const SHOP = /^[a-z0-9][a-z0-9-]{0,99}\.myshopify\.com$/
const SHOP_URL = /^https:\/\/([^/]+)(?:\/admin)?$/
const SIGNATURE = /^[0-9a-f]{64}$/
const SECONDS = /^\d{1,12}$/
/** How old, or how far ahead, a signed query may be: what Shopify's own library grants. */
const MAX_SKEW_MS = 90_000

/**
 * AUTH_MODE=shopify: pages of an app that is embedded in Shopify's admin show a session token; requests of a storefront
 * come through Shopify's app proxy, which signs their query. The merchant is the shop's domain.
 */
export function shopifyStrategy ({ apiKey, apiSecret, cookie }: ShopifyOptions): Strategy {
  const verify = verifierOf(apiSecret, ['HS256'])

  function ofSessionToken (token: string): Identity {
    const claims = verify(token)
    const expiresAt = checkClaims(claims, { issuer: undefined, audience: apiKey })
    if (claims.nbf === undefined) throw new BadToken('it has no nbf')
    const shop = shopOf(claims.dest)
    if (shop === undefined || shop !== shopOf(claims.iss)) throw new BadToken('its iss and dest are not of one shop')
    return { merchantId: shop, expiresAt }
  }

  return {
    outlived: true,
    async authenticate (request) {
      const bearer = bearerToken(request)
      if (bearer !== undefined) return ofSessionToken(bearer)
      const query = request.query as Query
      if (query.signature !== undefined) return { merchantId: signedShop(query, apiSecret) }
      const token = cookieToken(request, cookie)
      if (token !== undefined) return ofSessionToken(token)
      throw new CredentialMissing('a session token as Authorization: Bearer <token>, or a query signed by the app proxy')
    },
  }
}

/** The shop whose address this is, or that of its admin. */
function shopOf (url: unknown): string | undefined {
  const host = typeof url === 'string' ? SHOP_URL.exec(url)?.[1] : undefined
  return host !== undefined && SHOP.test(host) ? host : undefined
}

/** The shop for which Shopify has signed a query just now. */
function signedShop ({ signature, ...query }: Query, secret: string): string {
  if (typeof signature !== 'string') throw new CredentialTwice('signature')
  if (!SIGNATURE.test(signature)) throw new BadSignature('the signature is not 64 lower-case hexadecimal digits')
  const signed = Object.entries(query).map(([name, values]) => `${name}=${[values].flat().join()}`).sort().join('')
  const expected = createHmac('sha256', secret).update(signed).digest()
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) throw new BadSignature('the signature does not fit')
  // Nothing separates one parameter from the next in what is signed, so that whoever sends `a=1shop=victim…` through the
  // proxy of any shop has that signed, too. Only where each name occurs once is it certain where its value starts.
  if (count(signed, 'shop=') !== 1 || count(signed, 'timestamp=') !== 1) throw new BadSignature('there is not exactly one shop= and one timestamp= in it')
  const { shop, timestamp } = query
  if (typeof shop !== 'string' || !SHOP.test(shop)) throw new BadSignature('the shop is none')
  if (typeof timestamp !== 'string' || !SECONDS.test(timestamp) || Math.abs(Date.now() - Number(timestamp) * 1_000) > MAX_SKEW_MS) throw new BadSignature('the timestamp is not of now')
  return shop
}

function count (text: string, part: string): number {
  return text.split(part).length - 1
}
