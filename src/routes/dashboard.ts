import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { Operators } from '../auth/operators.js'
import type { Feed } from '../dashboard/feed.js'
import { Draining, NotFound, Pipelined, RateExceeded } from '../errors.js'
import { onlyMethods } from './only-methods.js'
import { onlyOwnPages } from './own-pages.js'
import { pageFiles, type ReadPageFile } from './page-files.js'
import { quota, quotas } from './quota.js'

export interface DashboardOptions {
  readonly feed: Feed
  readonly operators: Operators
  readonly readFile: ReadPageFile
}

export const DASHBOARD_PATH = '/dashboard'

const FILES = [
  [DASHBOARD_PATH, 'index.html', 'text/html; charset=utf-8'],
  [`${DASHBOARD_PATH}/page.js`, 'page.js', 'text/javascript; charset=utf-8'],
  [`${DASHBOARD_PATH}/page.css`, 'page.css', 'text/css; charset=utf-8'],
] as const
const SESSION = `${DASHBOARD_PATH}/session`
const EVENTS = `${DASHBOARD_PATH}/events`

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
  // Once the stream has ended, nobody need wait for another request.
  connection: 'close',
}
const Attempt = Type.Object({ key: Type.String() }, { additionalProperties: false })
const MAX_BODY_BYTES = 4_096
/** By one client address. */
const ATTEMPTS_PER_MINUTE = 10
const RETRY_AFTER_S = 5

/** The live page, the session of who may see it, and its feed. The page itself says nothing, and is for everybody. */
export const dashboardRoute: FastifyPluginAsyncTypebox<DashboardOptions> = async (app, { feed, operators, readFile }) => {
  await app.register(quotas)
  pageFiles(app, FILES, readFile)

  onlyMethods(app, SESSION, ['GET', 'HEAD', 'POST'])
  // No status but 200: that a key is needed is no fault, and browsers would log it as one.
  app.get(SESSION, { onRequest: onlyOwnPages }, async (request) => {
    try {
      operators.admit(request)
      return { admitted: true, full: feed.full }
    } catch {
      return { admitted: false } // Why not, the feed says.
    }
  })
  app.post(SESSION, {
    schema: { body: Attempt },
    bodyLimit: MAX_BODY_BYTES,
    onRequest: [
      async () => { if (operators.everybody) throw new NotFound() },
      onlyOwnPages,
      ...quota(app, { of: 'attempts to show a key', max: ATTEMPTS_PER_MINUTE, windowMs: 60_000 }),
    ],
    handler: async ({ body, protocol }, reply) => reply.header('set-cookie', operators.enter(body.key, protocol === 'https')).code(204).send(),
  })

  onlyMethods(app, EVENTS, ['GET'])
  app.get(EVENTS, { onRequest: onlyOwnPages, exposeHeadRoute: false }, async (request, reply) => {
    const until = operators.admit(request)
    if (reply.raw.socket === null) throw new Pipelined()
    if (feed.ended) throw new Draining()
    if (feed.full) {
      reply.header('retry-after', RETRY_AFTER_S)
      throw new RateExceeded('viewers at a time')
    }
    reply.headers(STREAM_HEADERS)
    reply.hijack()
    for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value!)
    reply.raw.writeHead(200)
    feed.add(reply.raw, until)
    return reply
  })
}
