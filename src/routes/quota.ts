import { isIP } from 'node:net'
import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest, onRequestAsyncHookHandler } from 'fastify'
import plugin from 'fastify-plugin'
import { RateExceeded } from '../errors.js'

export interface Quota {
  /** What there may be too many of, for the message. */
  readonly of: string
  /** So many in one window; 0 for any number. */
  readonly max: number
  readonly windowMs: number
  /** Whose each is: the client address's, if not given, and that of its /64 with IPv6. */
  readonly keyOf?: (request: FastifyRequest) => number | string
  /** When nothing is counted. */
  readonly unless?: () => boolean
}

/** So many are counted for at a time, some hundred bytes each; who has not been seen for the longest is forgotten first. */
const MAX_COUNTED = 100_000

/** What {@link quota} needs. */
export const quotas = plugin(async (app) => {
  const none = { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
  await app.register(rateLimit, { global: false, addHeaders: { ...none, 'retry-after': true }, addHeadersOnExceeding: none })
}, { name: 'quotas' })

/** Hooks that refuse with 429 and `Retry-After` what is too much. Each call counts on its own, in this process. */
export function quota (app: FastifyInstance, { of, max, windowMs, keyOf = addressOf, unless = () => false }: Quota): onRequestAsyncHookHandler[] {
  if (max === 0) return []
  return [app.rateLimit({ max, timeWindow: windowMs, cache: MAX_COUNTED, errorResponseBuilder: () => new RateExceeded(of), keyGenerator: keyOf, allowList: unless })]
}

/** What a proxy is believed to say need not be an address; how much of it is kept must not be the client's to choose. */
function addressOf ({ ip, socket }: FastifyRequest): string {
  return normalizeIP(isIP(ip) > 0 ? ip : String(socket.remoteAddress))
}
