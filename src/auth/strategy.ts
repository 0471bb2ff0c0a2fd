import type { FastifyRequest } from 'fastify'

/** Whose events a client may listen to. */
export interface Identity {
  readonly merchantId: string
  /** When the credential runs out, in Unix milliseconds; absent where it does not. */
  readonly expiresAt?: number
}

/** Decides who may listen. One implementation for each AUTH_MODE. */
export interface Strategy {
  /** Rejects with a coded error of errors.ts: 400, 401 or 403. Its message never shows a credential. */
  authenticate (request: FastifyRequest): Promise<Identity>
}
