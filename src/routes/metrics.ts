import type { FastifyPluginAsync } from 'fastify'
import type { Metrics } from '../metrics.js'
import { onlyMethods } from './only-methods.js'

/** `GET /metrics`, for Prometheus. */
export const metricsRoute: FastifyPluginAsync<{ metrics: Metrics }> = async (app, { metrics }) => {
  onlyMethods(app, '/metrics', ['GET', 'HEAD'])
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.expose()))
}
