import type { onRequestAsyncHookHandler } from 'fastify'
import { isOwn } from '../auth/origins.js'
import { ForeignOrigin } from '../errors.js'

/** Refuses what a page has a browser ask for that is none of this host's. What is no page at all may ask. */
export const onlyOwnPages: onRequestAsyncHookHandler = async ({ headers, host }) => {
  const { origin, 'sec-fetch-site': site = 'same-origin' } = headers
  if (site !== 'same-origin' || (origin !== undefined && !isOwn(origin, host))) throw new ForeignOrigin()
}
