import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { authorizationOf } from '../auth/credential.js'
import type { Keys } from '../auth/keys.js'
import { BrokerUnavailable, type Broker, type Publication } from '../broker/broker.js'
import { BadBatch, BadEvent, BadMerchantId, BadPublishKey, BrokerAway, EventTooLarge, NotFound } from '../errors.js'
import { channelOf, isMerchantId, publishable, topicLabel } from '../message.js'
import type { Metrics } from '../metrics.js'
import { onlyMethods } from './only-methods.js'
import { quota } from './quota.js'

export interface PublishOptions {
  readonly broker: Broker
  readonly keys: Keys
  /** Whether anybody may publish while there are no keys: for development. */
  readonly openWithoutKeys: boolean
  readonly channelPrefix: string
  readonly maxMessageBytes: number
  /** By one key; 0 for any number. */
  readonly requestsPerSecond: number
  readonly metrics: Metrics
}

const PATH = '/merchants/:merchantId/events'
const Params = Type.Object({ merchantId: Type.String() })
const MAX_BATCH = 100

/** `POST /merchants/:merchantId/events`: publishes one event or an array of them. All of a batch is checked before any is sent. DESIGN §4. */
export const publishRoute: FastifyPluginAsyncTypebox<PublishOptions> = async (app, options) => {
  onlyMethods(app, PATH, ['POST'])
  const { broker, keys, openWithoutKeys, channelPrefix, maxMessageBytes, requestsPerSecond, metrics } = options

  app.post(PATH, {
    schema: { params: Params },
    bodyLimit: MAX_BATCH * (maxMessageBytes + 1) + 1,
    // Before the body is read: nobody without a key can make the service take in megabytes.
    onRequest: [
      async (request) => {
        if (keys.none && !openWithoutKeys) throw new NotFound()
        if (!keys.none && keys.indexOf(authorizationOf(request)) === -1) throw new BadPublishKey()
      },
      ...quota(app, { of: 'requests to publish', max: requestsPerSecond, windowMs: 1_000, keyOf: ({ headers }) => keys.indexOf(headers.authorization) }),
      async ({ params }) => { if (!isMerchantId(params.merchantId)) throw new BadMerchantId() },
    ],
    async handler (request, reply) {
      const { merchantId } = request.params
      const events = publishableEvents(request.body)
      const publications = events.map(({ type }, i): Publication => {
        const payload = textOf(events[i], i)
        if (Buffer.byteLength(payload) > maxMessageBytes) throw new EventTooLarge(`event ${i}`, maxMessageBytes)
        return { channel: channelOf(channelPrefix, { merchantId, topic: type }), payload }
      })
      try {
        await broker.publish(publications)
      } catch (error) {
        if (error instanceof BrokerUnavailable) throw new BrokerAway({ cause: error })
        throw error
      }
      for (const { type } of events) metrics.messagePublished('http', topicLabel(type))
      return reply.code(202).send({ published: events.length })
    },
  })
}

function textOf (event: unknown, i: number): string {
  try {
    return JSON.stringify(event)
  } catch {
    // JSON.parse goes to any depth, JSON.stringify as far as the stack.
    throw new BadEvent(`event ${i}`, 'is nested too deeply')
  }
}

function publishableEvents (body: unknown) {
  const values: unknown[] = Array.isArray(body) ? body : [body]
  if (typeof body !== 'object' || body === null || values.length < 1 || values.length > MAX_BATCH) throw new BadBatch(MAX_BATCH)
  const now = Date.now()
  return values.map((value, i) => {
    const result = publishable(value, now)
    if ('event' in result) return result.event
    throw new BadEvent(Array.isArray(body) ? `event ${i}: ${result.field}` : result.field, result.problem)
  })
}
