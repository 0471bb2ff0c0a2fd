import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError } from 'fastify'
import plugin from 'fastify-plugin'
import { AuthAway, BadHttp, BadSignature, BadTicket, BadToken, BrokerAway, Draining, HeadTooLarge, Internal, NotFound, RequestTimeout, TokenExpired } from '../errors.js'
import { Throttle } from '../log.js'

const RETRY_AFTER_S = 2
/** So long a client that was told to go may hold on to its connection, in milliseconds. */
const LINGER_MS = 1_000
/** What is no fault of this service's, and may not fail when it is asked for again. */
const AWAY = [AuthAway, BrokerAway, Draining]
/** A credential was shown, and is no good: showing another one helps (RFC 6750 §3.1). */
const INVALID_TOKEN = [BadToken, TokenExpired, BadSignature, BadTicket]

/**
 * Has every route of an instance, and the want of one, fail in Fastify's own shape with a stable `code`. What is this
 * service's own fault is logged, and not shown.
 */
export const failures = plugin(async (app) => {
  const internalLog = new Throttle(1_000)

  app.setNotFoundHandler(() => { throw new NotFound() })
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const toldAsIs = (error.statusCode ?? 500) < 500 || isOneOf(error, AWAY)
    const shown: FastifyError = toldAsIs ? error : new Internal()
    const { statusCode = 500 } = shown
    if (!toldAsIs) {
      const heldBack = internalLog.pass()
      if (heldBack !== undefined) request.log.error({ req: request, err: error, heldBack }, 'a request failed')
    }
    if (statusCode === 401) reply.header('www-authenticate', isOneOf(shown, INVALID_TOKEN) ? 'Bearer error="invalid_token"' : 'Bearer')
    if (statusCode === 503) reply.header('retry-after', RETRY_AFTER_S)
    return reply.code(statusCode).send(shown)
  })
}, { name: 'failures' })

function isOneOf (error: FastifyError, kinds: ReadonlyArray<new (...args: never[]) => FastifyError>): boolean {
  return kinds.some((kind) => error instanceof kind)
}

/** Answers in the same shape what is no request yet, for node:http could not read it; to be given to Fastify as `clientErrorHandler`. */
export function answerBadHttp ({ code }: NodeJS.ErrnoException, socket: Socket): void {
  // A client that has reset the connection hears nothing any more.
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { statusCode = 400, code: ourCode, message } = failureOf(code)
  const error = STATUS_CODES[statusCode]
  const body = JSON.stringify({ statusCode, code: ourCode, error, message })
  socket.end(`HTTP/1.1 ${statusCode} ${error}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`)
  // It may never end its side, and would keep the connection for as long as it goes on dripping.
  const linger = setTimeout(() => { socket.destroy() }, LINGER_MS)
  socket.once('close', () => { clearTimeout(linger) })
}

function failureOf (code: string | undefined): FastifyError {
  if (code === 'HPE_HEADER_OVERFLOW') return new HeadTooLarge()
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new RequestTimeout()
  return new BadHttp(String(code))
}
