/** What went wrong with a connection, and by what it can be told apart from others. */
export interface Trouble {
  /** The status that was answered. */
  readonly status?: number
  /** So long whoever answered asks to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

/**
 * Why there is no stream. `code` is the service's own where it gave one (`RTF_BAD_TOKEN`, …), else one of:
 * `CONNECTION_LOST` (the network, or the end of a stream without a farewell), `SILENT` (no byte for too long),
 * `CREDENTIAL_FAILED` (`getToken` or `getTicket` threw; see `cause`), `NOT_A_STREAM` (something else than a stream was
 * answered), `HTTP_<status>`, and `REFUSED` (one of these two; an EventSource cannot tell which).
 */
export class RealtimeError extends Error {
  override readonly name = 'RealtimeError'
  readonly code: string
  /** The status that was answered; `undefined` where none was, or where the transport cannot see it. */
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined

  constructor (code: string, message: string, { status, retryAfterMs, cause }: Trouble = {}) {
    super(message, { cause })
    this.code = code
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}
