import { createHash, randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { BrokerUnavailable, type Broker } from '../broker/broker.js'
import { AuthAway, BadTicket, ForeignTicket, TokenExpired } from '../errors.js'
import { isOwn } from './origins.js'
import type { Identity, ListenQuery, Strategy } from './strategy.js'

export interface TicketOptions {
  readonly store: Pick<Broker, 'put' | 'take'>
  readonly ttlMs: number
  /** {@link Strategy.outlived} of the credentials that are exchanged. */
  readonly outlived: boolean
}

export interface Ticket {
  /** What a client presents; nobody else may see it. */
  readonly ticket: string
  /** Until when it may be presented, in Unix milliseconds. */
  readonly expiresAt: number
}

/** What a ticket is narrowed to. */
export interface Bounds {
  /** {@link Identity.topics} */
  readonly topics: string | undefined
  /** The origin whose pages may use it; any, where absent. */
  readonly origin: string | undefined
}

/** Whom a ticket stands for. */
export type Grant = Identity & { readonly origin?: string }

const TICKET_BYTES = 32
const TICKET = /^[A-Za-z0-9_-]{43}$/

/**
 * Exchanges credentials for tickets: random, opaque, good for one opening on any instance. What is stored is found by
 * the digest of a ticket, so that whoever can read the store can present none.
 */
export class Tickets {
  readonly #store: TicketOptions['store']
  readonly #ttlMs: number
  readonly #outlived: boolean

  constructor ({ store, ttlMs, outlived }: TicketOptions) {
    this.#store = store
    this.#ttlMs = ttlMs
    this.#outlived = outlived
  }

  /**
   * A ticket for whom a credential has shown to be. It never stands for more than the credential: neither it nor what it
   * opens lives longer, unless the session behind the credential does.
   * @throws {AuthAway} (rejects) where the store is away.
   */
  async issue ({ merchantId, expiresAt: credentialEnds }: Identity, { topics, origin }: Bounds): Promise<Ticket> {
    const now = Date.now()
    const sessionEnds = this.#outlived ? undefined : credentialEnds
    const ttlMs = Math.floor(Math.min(this.#ttlMs, (sessionEnds ?? Infinity) - now))
    if (ttlMs < 1) throw new TokenExpired()
    const ticket = randomBytes(TICKET_BYTES).toString('base64url')
    // What is undefined is not written.
    await reached(this.#store.put(keyOf(ticket), JSON.stringify({ merchantId, expiresAt: sessionEnds, topics, origin }), ttlMs))
    return { ticket, expiresAt: now + ttlMs }
  }

  /**
   * Uses a ticket up, and says whom it stands for.
   * @throws {BadTicket} (rejects) for one that is unknown, used or expired.
   * @throws {AuthAway} (rejects) where the store is away; the ticket may be used up.
   */
  async redeem (ticket: string): Promise<Grant> {
    if (!TICKET.test(ticket)) throw new BadTicket()
    const grant = await reached(this.#store.take(keyOf(ticket)))
    if (grant === undefined) throw new BadTicket()
    return JSON.parse(grant) as Grant
  }
}

/** Requests with `?ticket=` are told by it and by nothing else, all others by the strategy. */
export function byTicketOr (strategy: Strategy, tickets: Tickets): Strategy {
  return {
    outlived: strategy.outlived,
    async authenticate (request: FastifyRequest): Promise<Identity> {
      const { ticket } = request.query as ListenQuery
      if (ticket === undefined) return strategy.authenticate(request)
      const { origin, ...identity } = await tickets.redeem(ticket)
      if (origin !== undefined && !isOfPage(request, origin)) throw new ForeignTicket('pages')
      return identity
    },
  }
}

/**
 * Whether a page of this origin makes the request. Browsers send no `Origin` where a page gets what is of its own; that
 * it is, the browser says, or else the host that was asked, which an ingress may have rewritten.
 */
function isOfPage ({ headers, host }: FastifyRequest, origin: string): boolean {
  if (headers.origin !== undefined) return headers.origin === origin
  return headers['sec-fetch-site'] === 'same-origin' || isOwn(origin, host)
}

function keyOf (ticket: string): string {
  return `_ticket:${createHash('sha256').update(ticket).digest('base64url')}`
}

async function reached<T> (answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw error instanceof BrokerUnavailable ? new AuthAway({ cause: error }) : error
  }
}
