import accepts from '@fastify/accepts'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyError } from 'fastify'
import type { Strategy } from '../auth/strategy.js'
import { BadTopics, ForeignMerchant, NotAcceptable, Pipelined } from '../errors.js'
import { Filter, MAX_TOPICS } from '../fanout/filter.js'
import type { Hub } from '../fanout/hub.js'
import type { Metrics, RejectionReason } from '../metrics.js'
import { onlyMethods } from './only-methods.js'
import { takeover } from './takeover.js'

export interface EventsOptions {
  readonly hub: Hub
  readonly strategy: Strategy
  readonly metrics: Metrics
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
})

/** `GET /events`: the stream of one merchant. DESIGN §3–4. */
export const eventsRoute: FastifyPluginAsyncTypebox<EventsOptions> = async (app, { hub, strategy, metrics }) => {
  await app.register(accepts)
  onlyMethods(app, '/events', ['GET', 'HEAD'])

  app.route({
    method: ['GET', 'HEAD'],
    url: '/events',
    exposeHeadRoute: false,
    schema: { querystring: Query },
    errorHandler (error, request) {
      if (request.method === 'GET') metrics.connectionRejected(rejectionOf(error))
      throw error
    },
    async handler (request, reply) {
      if (request.accepts().type(['text/event-stream']) === false) throw new NotAcceptable()
      const { merchantId, expiresAt } = await strategy.authenticate(request)
      if (request.query.merchantId !== undefined && request.query.merchantId !== merchantId) throw new ForeignMerchant()
      const filter = filterOf(request.query.topics)
      if (request.method === 'HEAD') return reply.headers(STREAM_HEADERS).send()
      if (reply.raw.socket === null) throw new Pipelined()

      const { ip } = request
      const socket = takeover(reply.headers(STREAM_HEADERS))
      /* c8 ignore next -- @preserve See takeover: no test wins this race at will. */
      if (socket === undefined) return reply
      const refusal = hub.refusal(merchantId)
      if (refusal !== undefined) {
        metrics.connectionRejected(refusal === 'unavailable' ? 'auth_unavailable' : refusal)
        hub.refuse(socket, refusal)
        request.log.debug({ merchantId, reason: refusal, ip }, 'stream refused')
        return reply
      }
      hub.attach({ merchantId, filter, expiresAt, socket })
      request.log.debug({ merchantId, topics: filter?.key, ip }, 'stream opened')
      return reply
    },
  })
}

function filterOf (topics: string | undefined): Filter | undefined {
  if (topics === undefined) return undefined
  const filter = Filter.parse(topics)
  if (filter === undefined) throw new BadTopics(MAX_TOPICS)
  return filter
}

function rejectionOf ({ statusCode }: FastifyError): RejectionReason {
  switch (statusCode) {
    case 400: return 'bad_request'
    case 401: return 'unauthorized'
    case 403: return 'forbidden'
    case 406: return 'not_acceptable'
    /* c8 ignore next -- @preserve Nothing in the way of a stream is known to throw anything else; what does shall be counted. */
    default: return 'internal'
  }
}
