import { setImmediate as outOfParser } from 'node:timers/promises'
import accepts from '@fastify/accepts'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyError, FastifyRequest } from 'fastify'
import type { Strategy } from '../auth/strategy.js'
import { AuthAway, ForeignMerchant, ForeignTicket, NotAcceptable, Pipelined } from '../errors.js'
import type { Filter } from '../fanout/filter.js'
import type { Hub, Refusal } from '../fanout/hub.js'
import type { Metrics, RejectionReason } from '../metrics.js'
import { onlyMethods } from './only-methods.js'
import { quota } from './quota.js'
import { takeover } from './takeover.js'
import { readTopics } from './topics.js'

export interface EventsOptions {
  readonly hub: Hub
  readonly strategy: Strategy
  readonly metrics: Metrics
  /** By one client address; 0 for any number. */
  readonly attemptsPerMinute: number
}

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  // nginx, and whatever else has learnt it from nginx, buffers a response otherwise.
  'x-accel-buffering': 'no',
}

const Query = Type.Object({
  merchantId: Type.Optional(Type.String()),
  topics: Type.Optional(Type.String()),
  ticket: Type.Optional(Type.String()),
})

/** Who may listen, to what, and for how long. */
interface Admission {
  readonly merchantId: string
  readonly filter: Filter | undefined
  readonly expiresAt: number | undefined
}

/** What will not last, and so must not silence an EventSource. */
interface Refused {
  readonly refusal: Refusal
  readonly merchantId?: string
}

/** `GET /events`: the stream of one merchant. DESIGN §3–4. */
export const eventsRoute: FastifyPluginAsyncTypebox<EventsOptions> = async (app, { hub, strategy, metrics, attemptsPerMinute }) => {
  await app.register(accepts)
  onlyMethods(app, '/events', ['GET', 'HEAD'])

  app.route({
    method: ['GET', 'HEAD'],
    url: '/events',
    exposeHeadRoute: false,
    schema: { querystring: Query },
    onRequest: quota(app, { of: 'attempts to open a stream', max: attemptsPerMinute, windowMs: 60_000 }),
    errorHandler (error, request) {
      if (request.method === 'GET') metrics.connectionRejected(rejectionOf(error))
      throw error
    },
    async handler (request, reply) {
      if (request.accepts().type(['text/event-stream']) === false) throw new NotAcceptable()
      if (reply.raw.socket === null) throw new Pipelined()
      await outOfParser()
      const admission = await admit(request, request.query)
      if (request.method === 'HEAD') return reply.headers(STREAM_HEADERS).send()

      const { ip } = request
      const socket = takeover(reply.headers(STREAM_HEADERS))
      /* c8 ignore next -- @preserve See takeover: no test wins this race at will. */
      if (socket === undefined) return reply
      if ('refusal' in admission) {
        const { refusal: reason, merchantId } = admission
        metrics.connectionRejected(reason)
        hub.refuse(socket, reason)
        request.log.debug({ merchantId, reason, ip }, 'stream refused')
      } else {
        hub.attach({ ...admission, socket })
        request.log.debug({ merchantId: admission.merchantId, topics: admission.filter?.key, ip }, 'stream opened')
      }
      return reply
    },
  })

  async function admit (request: FastifyRequest, query: Static<typeof Query>): Promise<Admission | Refused> {
    // First of all, or a ticket would be used up for nothing.
    const refusal = hub.refusal()
    if (refusal !== undefined) return { refusal }
    try {
      const { merchantId, expiresAt, topics } = await strategy.authenticate(request)
      if (query.merchantId !== undefined && query.merchantId !== merchantId) throw new ForeignMerchant()
      const filter = filterOf(query.topics, topics)
      const ownRefusal = hub.refusal(merchantId)
      return ownRefusal === undefined ? { merchantId, filter, expiresAt } : { refusal: ownRefusal, merchantId }
    } catch (error) {
      if (error instanceof AuthAway && request.method === 'GET') return { refusal: 'auth_unavailable' }
      throw error
    }
  }
}

/** The topics that are wanted of those that are allowed: all of these, if it is not said which. */
function filterOf (wanted: string | undefined, allowed: string | undefined): Filter | undefined {
  const [filter, bound] = [readTopics(wanted), readTopics(allowed)]
  if (filter !== undefined && bound?.covers(filter) === false) throw new ForeignTicket('topics')
  return filter ?? bound
}

function rejectionOf ({ statusCode }: FastifyError): RejectionReason {
  switch (statusCode) {
    case 400: return 'bad_request'
    case 401: return 'unauthorized'
    case 403: return 'forbidden'
    case 406: return 'not_acceptable'
    case 429: return 'rate_limited'
    /* c8 ignore next -- @preserve Nothing in the way of a stream is known to throw anything else; what does shall be counted. */
    default: return 'internal'
  }
}
