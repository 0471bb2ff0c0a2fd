import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type Static } from '@sinclair/typebox'
import type { Strategy } from '../auth/strategy.js'
import type { Tickets } from '../auth/ticket.js'
import { ForeignMerchant } from '../errors.js'
import { onlyMethods } from './only-methods.js'
import { quota } from './quota.js'
import { readTopics } from './topics.js'

export interface TicketRouteOptions {
  readonly strategy: Strategy
  readonly tickets: Tickets
  /** By one client address; 0 for any number. */
  readonly attemptsPerMinute: number
}

const PATH = '/ticket'
const MAX_BODY_BYTES = 4_096
const Query = Type.Object({ merchantId: Type.Optional(Type.String()) })
const Wanted = Type.Object({
  topics: Type.Optional(Type.String()),
  // As browsers spell it, or it would never be the one that they send.
  origin: Type.Optional(Type.String({ pattern: '^https?://[^\\sA-Z,/]{1,256}$' })),
}, { additionalProperties: false })
/** There need not be a body; Fastify has null checked then. */
const Body = Type.Unsafe<Static<typeof Wanted> | null | undefined>({ ...Wanted, nullable: true })

/** `POST /ticket`: a ticket for the `?ticket=` of one stream, in exchange for a credential. DESIGN §4. */
export const ticketRoute: FastifyPluginAsyncTypebox<TicketRouteOptions> = async (app, { strategy, tickets, attemptsPerMinute }) => {
  onlyMethods(app, PATH, ['POST'])

  app.post(PATH, {
    schema: { querystring: Query, body: Body },
    bodyLimit: MAX_BODY_BYTES,
    onRequest: quota(app, { of: 'attempts to get a ticket', max: attemptsPerMinute, windowMs: 60_000 }),
    async handler (request, reply) {
      const identity = await strategy.authenticate(request)
      if (request.query.merchantId !== undefined && request.query.merchantId !== identity.merchantId) throw new ForeignMerchant()
      const { topics, origin = request.headers.origin } = request.body ?? {}
      const { ticket, expiresAt } = await tickets.issue(identity, { topics: readTopics(topics)?.key, origin })
      // By which name the world reaches this service is for whoever asked to know.
      return reply.header('cache-control', 'no-store').send({ ticket, expiresAt, url: `${app.prefix}/events?ticket=${ticket}` })
    },
  })
}
