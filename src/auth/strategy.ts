import type { FastifyRequest } from 'fastify'

/** Whose events a client may listen to. */
export interface Identity {
  readonly merchantId: string
  /** When the credential runs out, in Unix milliseconds; absent where it does not. */
  readonly expiresAt?: number
  /** The only topics that may be listened to, as `?topics=` names them; all, where absent. */
  readonly topics?: string
}

/** What a request for a stream says in its query of whom it is for, and by whose leave; checked to be strings. */
export interface ListenQuery {
  readonly merchantId?: string
  readonly ticket?: string
}

/** Decides who may listen. One implementation for each AUTH_MODE. */
export interface Strategy {
  /**
   * Whether what a credential stands for (a session with its issuer) goes on when the credential itself runs out, which
   * then only says how fresh it must be when it is shown. A stream by a ticket that was got for it may outlive it.
   */
  readonly outlived: boolean

  /**
   * Rejects with a coded error of errors.ts: 400, 401 or 403, or 503 where it cannot be told for now. Its message never
   * shows a credential.
   */
  authenticate (request: FastifyRequest): Promise<Identity>
}
