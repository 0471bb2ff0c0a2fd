import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { MethodNotAllowed } from '../errors.js'

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Has a path answer every method but these that Fastify knows with 405 and `Allow` (RFC 9110 §15.5.6), where Fastify says 404. */
export function onlyMethods (app: FastifyInstance, url: string, allowed: readonly HTTPMethods[]): void {
  const refuse = async ({ method }: FastifyRequest, reply: FastifyReply) => {
    reply.header('allow', allowed.join(', '))
    throw new MethodNotAllowed(method)
  }
  app.route({
    method: METHODS.filter((method) => !allowed.includes(method)),
    url,
    exposeHeadRoute: false,
    onRequest: refuse, // Before a body is read, let alone refused for its type.
    handler: refuse,
  })
}
