import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import plugin from 'fastify-plugin'

/**
 * So many requests of one connection may wait for the answers before theirs to be read. Browsers and proxies have none
 * wait; the answers for whoever sends on and on and never reads would fill the memory.
 */
const MAX_WAITING = 16

const waiting = new WeakMap<Socket, number>()

/** Whether one request more than may has come in behind others; its connection is cut off then, and nothing is to be answered. */
export function cutOffFlood ({ raw: response, request: { raw: { socket } } }: FastifyReply): boolean {
  if (response.socket !== null) return false // It is its turn.
  const count = (waiting.get(socket) ?? 0) + 1
  waiting.set(socket, count)
  response.once('close', () => { waiting.set(socket, waiting.get(socket)! - 1) })
  if (count <= MAX_WAITING) return false
  socket.destroy()
  return true
}

/** Has {@link cutOffFlood} look at every request that is routed, before anything else does. */
export const pipelining = plugin(async (app) => {
  app.addHook('onRequest', async (_request, reply) => {
    if (cutOffFlood(reply)) reply.hijack()
  })
}, { name: 'pipelining' })
