import type { onRequestAsyncHookHandler } from 'fastify'
import { isOwn } from '../auth/origins.js'
import { ForeignOrigin } from '../errors.js'

/**
 * Refuses what a page has a browser ask for that is none of this host's. What is no page at all may ask, somebody who
 * types the address (`none`) among them.
 */
export const onlyOwnPages: onRequestAsyncHookHandler = async ({ method, headers, host }) => {
  const { origin, 'sec-fetch-site': site = 'same-origin' } = headers
  const own = site === 'same-origin' || (site === 'none' && method === 'GET')
  if (!own || (origin !== undefined && !isOwn(origin, host))) throw new ForeignOrigin()
}
