import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import plugin from 'fastify-plugin'
import { BrokerAway, Internal, NotFound } from '../errors.js'
import { Throttle } from '../log.js'

const RETRY_AFTER_S = 2
const internalLog = new Throttle(1_000)

/** Answers in Fastify's own shape, with a stable `code`. What is this service's own fault is logged, and not shown. */
export function answerFailure (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const toldAsIs = (error.statusCode ?? 500) < 500 || error instanceof BrokerAway
  const shown: FastifyError = toldAsIs ? error : new Internal()
  const { statusCode = 500 } = shown
  if (!toldAsIs) {
    const heldBack = internalLog.pass()
    if (heldBack !== undefined) request.log.error({ req: request, err: error, heldBack }, 'a request failed')
  }
  if (statusCode === 401) reply.header('www-authenticate', 'Bearer')
  if (statusCode === 503) reply.header('retry-after', RETRY_AFTER_S)
  return reply.code(statusCode).send(shown)
}

/** Has every route of an instance, and the want of one, fail in this way. */
export const failures = plugin(async (app) => {
  app.setErrorHandler<FastifyError>(answerFailure)
  app.setNotFoundHandler(() => { throw new NotFound() })
}, { name: 'failures' })
