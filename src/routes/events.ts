import { setImmediate as outOfParser } from 'node:timers/promises'
import accepts from '@fastify/accepts'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyError, FastifyRequest } from 'fastify'
import type { Strategy } from '../auth/strategy.js'
import { AuthAway, BadReplay, ForeignMerchant, ForeignTicket, NotAcceptable, Pipelined } from '../errors.js'
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
  // Whatever it is: one that means nothing is answered with a gap, as a browser would not come back from an error.
  lastEventId: Type.Optional(Type.Unknown()),
  replay: Type.Optional(Type.String()),
})

/** More than any history holds of a merchant for long. */
const MAX_REPLAY = 10_000

/** Who may listen, to what, and for how long. */
interface Admission {
  readonly merchantId: string
  readonly filter: Filter | undefined
  readonly expiresAt: number | undefined
  readonly lastEventId: string | undefined
  readonly replay: number
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
    // Those that are sent elsewhere have been told to come soon; were they counted, they would be silenced for it.
    onRequest: quota(app, { of: 'attempts to open a stream', max: attemptsPerMinute, windowMs: 60_000, unless: () => hub.draining }),
    errorHandler (error, request) {
      if (request.method === 'GET') metrics.connectionRejected(rejectionOf(error))
      throw error
    },
    async handler (request, reply) {
      if (request.accepts().type(['text/event-stream']) === false) throw new NotAcceptable()
      if (request.method === 'HEAD') {
        // A ticket is for one opening, and this is none.
        if (request.query.ticket === undefined) await strategy.authenticate(request)
        return reply.headers(STREAM_HEADERS).send()
      }
      if (reply.raw.socket === null) throw new Pipelined()
      await outOfParser()
      const admission = await admit(request, request.query)

      const { ip } = request
      const socket = takeover(reply.headers(STREAM_HEADERS))
      /* c8 ignore next -- @preserve See takeover: no test wins this race at will. */
      if (socket === undefined) return reply
      const refuse = (reason: Refusal, merchantId?: string) => {
        metrics.connectionRejected(reason)
        hub.refuse(socket, reason)
        request.log.debug({ merchantId, reason, ip }, 'stream refused')
        return reply
      }
      if (typeof admission === 'string') return refuse(admission)
      const { merchantId, filter } = admission
      // Nothing may be waited for from here to `attach`: many that come in one turn would each find room for one.
      const refusal = hub.refusal(merchantId)
      if (refusal !== undefined) return refuse(refusal, merchantId)
      hub.attach({ ...admission, socket })
      request.log.debug({ merchantId, topics: filter?.key, ip }, 'stream opened')
      return reply
    },
  })

  /** Or why it cannot be told for now, which will not last, and so must not silence an EventSource. */
  async function admit (request: FastifyRequest, query: Static<typeof Query>): Promise<Admission | Refusal> {
    // What can be said without a ticket comes first, or one would be used up for nothing.
    const refusal = hub.refusal()
    if (refusal !== undefined) return refusal
    const wanted = readTopics(query.topics)
    const replay = readReplay(query.replay)
    try {
      const { merchantId, expiresAt, topics } = await strategy.authenticate(request)
      if (query.merchantId !== undefined && query.merchantId !== merchantId) throw new ForeignMerchant()
      return { merchantId, filter: narrowed(wanted, readTopics(topics)), expiresAt, lastEventId: lastEventIdOf(request, query), replay }
    } catch (error) {
      if (error instanceof AuthAway) return 'auth_unavailable'
      throw error
    }
  }
}

/** The topics that are wanted of those that are allowed: all of these, if it is not said which. */
function narrowed (wanted: Filter | undefined, allowed: Filter | undefined): Filter | undefined {
  if (wanted !== undefined && allowed?.covers(wanted) === false) throw new ForeignTicket('topics')
  return wanted ?? allowed
}

/** The header wins: an EventSource that comes back sends it to the URL that it was first opened with. */
function lastEventIdOf ({ headers }: FastifyRequest, { lastEventId }: Static<typeof Query>): string | undefined {
  const given = headers['last-event-id'] ?? lastEventId
  if (given === undefined || given === '') return undefined
  return typeof given === 'string' ? given : 'more than one'
}

function readReplay (text = '0'): number {
  const count = /^\d{1,5}$/.test(text) ? Number(text) : Infinity
  if (count > MAX_REPLAY) throw new BadReplay(MAX_REPLAY)
  return count
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
