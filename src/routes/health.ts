import type { FastifyPluginAsync } from 'fastify'
import type { Broker } from '../broker/broker.js'
import type { Hub } from '../fanout/hub.js'
import type { Metrics } from '../metrics.js'
import { onlyMethods } from './only-methods.js'

export interface HealthOptions {
  readonly hub: Hub
  readonly broker: Broker
  /** How long the first subscription has to stand, until the history covers what clients bring with them. */
  readonly warmupMs: number
  readonly redisOutageGraceMs: number
  readonly metrics: Metrics
}

/**
 * `GET /healthz`: this process works; nothing else, or an outage of Redis would have Kubernetes kill every stream.
 * `GET /readyz`: new clients are welcome, or 503 with the reason why not. DESIGN §4.
 */
export const healthRoutes: FastifyPluginAsync<HealthOptions> = async (app, { hub, broker, warmupMs, redisOutageGraceMs, metrics }) => {
  for (const path of ['/healthz', '/readyz']) onlyMethods(app, path, ['GET', 'HEAD'])
  let warm = false
  metrics.readGauges({ ready: () => unready() === undefined ? 1 : 0 })
  app.get('/healthz', async () => ({ status: 'ok' }))

  app.get('/readyz', async (_request, reply) => {
    const reason = unready()
    if (reason === undefined) return { status: 'ready' }
    return reply.code(503).send({ status: 'unready', reason })
  })

  function unready (): string | undefined {
    if (hub.leaving) return 'draining'
    const { subscription } = broker
    const stoodMs = subscription.state === 'standing' ? performance.now() - subscription.since : subscription.stoodMs
    warm ||= stoodMs >= warmupMs
    if (subscription.state === 'absent' && subscription.first) return 'not_subscribed'
    if (!warm) return 'warming_up'
    if (subscription.state === 'standing') return undefined
    return performance.now() - subscription.since > redisOutageGraceMs ? 'redis_outage' : undefined
  }
}
