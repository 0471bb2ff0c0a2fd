import { validateHeaderValue } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'

/**
 * Answers a request with the head of an endless body and takes its socket away from HTTP, for good. The body is
 * delimited by the end of the connection (RFC 9112 §6.3, case 8): its bytes go to the socket as they are, without
 * chunks. Request, response and parser become garbage, which makes an idle stream several KB lighter, and nothing that
 * the client may still send can be answered into the stream. Headers that hooks have set (CORS) are kept.
 *
 * The reply is spent, whatever comes of it. To be called only for a request whose turn to be answered has come (its
 * response has a socket), and never in the turn of the event loop that has read the request: with a body, node:http runs
 * microtasks while its parser is at work, which would find itself freed when it goes on to the next request, and throw
 * where nobody can catch it.
 *
 * @returns the socket, with the head written and no listeners, so that whoever takes it must see to its errors at once;
 *   `undefined` if the client has left.
 */
export function takeover (reply: FastifyReply): Socket | undefined {
  const { raw: response, request: { raw: request } } = reply
  const { socket } = response
  const head = headOf({ ...reply.getHeaders(), date: new Date().toUTCString(), connection: 'close' })
  reply.hijack()
  /* c8 ignore next -- @preserve A race that no test wins at will: the client left while it was being authenticated. */
  if (socket === null || socket.destroyed) return undefined

  // What node:http does itself for an upgrade (onParserExecuteCommon in lib/_http_server.js): its listeners go, and
  // the one on 'close', told that it is over, frees the parser; with it is told whoever else followed the request by its
  // socket, and it is over for them, too. The request lets go of the socket first, or it would take the socket with it.
  response.detachSocket(socket)
  ;(request as { socket: Socket | null }).socket = null
  const closeListeners = socket.rawListeners('close')
  for (const name of ['data', 'end', 'close', 'drain', 'error', 'timeout', 'resume', 'pause']) socket.removeAllListeners(name)
  withoutStacks(() => { for (const listener of closeListeners) listener.call(socket, false) })
  socket.setTimeout(0)

  socket.write(head)
  return socket
}

/** The request ends in an error whose stack nobody reads; to capture and format it would be a sixth of what an opening costs. */
function withoutStacks (work: () => void): void {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    work()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

function headOf (headers: ReturnType<FastifyReply['getHeaders']>): string {
  let lines = 'HTTP/1.1 200 OK\r\n'
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) {
      validateHeaderValue(name, String(value))
      lines += `${name}: ${value}\r\n`
    }
  }
  return `${lines}\r\n`
}
