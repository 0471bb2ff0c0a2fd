import type { FastifyRequest } from 'fastify'
import { parseCookie } from 'cookie'
import { BadToken, CredentialTwice, ForeignOrigin } from '../errors.js'

const BEARER = /^Bearer +(\S+)$/i
const MAX_TOKEN_BYTES = 8_192

/** What follows `Bearer` in an `Authorization` header; `undefined` if that is of another form. */
export function bearerOf (authorization: string | undefined): string | undefined {
  return BEARER.exec(authorization ?? '')?.[1]
}

/**
 * The request's `Authorization` header; `undefined` where it has none.
 * @throws {CredentialTwice} for more than one: node:http keeps the first and says nothing, a proxy may have checked the last.
 */
export function authorizationOf ({ raw, headers }: FastifyRequest): string | undefined {
  const count = raw.rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'authorization').length
  if (count > 1) throw new CredentialTwice('Authorization header')
  return headers.authorization
}

/**
 * The token of the request's `Authorization` header; `undefined` where it has none.
 * @throws {CredentialTwice | BadToken} for more than one, another scheme, or a token too long to be worth a look.
 */
export function bearerToken (request: FastifyRequest): string | undefined {
  const authorization = authorizationOf(request)
  if (authorization === undefined) return undefined
  const token = bearerOf(authorization)
  if (token === undefined) throw new BadToken('the Authorization header is not of the form Bearer <token>')
  return bounded(token)
}

/**
 * The token in the cookie of this name; `undefined` where there is none, or an empty one, as a log-out may leave behind.
 * @throws {CredentialTwice | BadToken} for more than one, or a token too long to be worth a look.
 * @throws {ForeignOrigin} for one that a browser has sent along on behalf of a page of somewhere else.
 */
export function cookieToken ({ headers }: FastifyRequest, name: string | undefined): string | undefined {
  if (name === undefined || headers.cookie === undefined) return undefined
  // One by one, because the parser keeps the first of several, which a sibling domain may have planted.
  const [token, ...more] = headers.cookie.split(';').map((pair) => parseCookie(pair)[name]).filter((value) => value !== undefined)
  if (more.length > 0) throw new CredentialTwice('cookie with a token')
  if (token === undefined || token === '') return undefined
  if (isForeign(headers)) throw new ForeignOrigin()
  return bounded(token)
}

/**
 * Whether a page of somewhere else makes the browser send this. What has an `Origin` has been let in by that; but an
 * image, say, is asked for without one, and a stream that nobody can read takes a place like any other.
 */
function isForeign ({ origin, 'sec-fetch-site': site }: FastifyRequest['headers']): boolean {
  return origin === undefined && (site === 'cross-site' || site === 'same-site')
}

function bounded (token: string): string {
  if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) throw new BadToken(`it is longer than ${MAX_TOKEN_BYTES} bytes`)
  return token
}
