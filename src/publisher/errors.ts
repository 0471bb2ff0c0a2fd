/** Why something was not published. They stay the same across releases. */
export type PublishErrorCode =
  /** A field of the event is missing or wrong, or cannot be written as JSON: `field` names it. */
  | 'RTF_BAD_EVENT'
  | 'RTF_BAD_MERCHANT_ID'
  | 'RTF_EVENT_TOO_LARGE'
  /** Redis or the service could not be reached for longer than is bridged; `cause` is what it said last. */
  | 'RTF_BROKER_AWAY'
  /** Redis or the service took the event for wrong, or the publisher for nobody who may: the message says what it said. */
  | 'RTF_REFUSED'
  /** More was published than could be sent, and this was the first to be given up. */
  | 'RTF_BUFFER_FULL'
  | 'RTF_PUBLISHER_CLOSED'
  /** The options make no sense. Thrown by who takes them. */
  | 'RTF_BAD_OPTION'
  /** The workflow has not declared such a stage. Thrown. */
  | 'RTF_UNKNOWN_STAGE'
  | 'RTF_STAGE_FINISHED'
  | 'RTF_WORKFLOW_FINISHED'
  /** The store of durations failed: estimates are without history, or history is without this run. */
  | 'RTF_DURATIONS_AWAY'

export interface PublishErrorOptions extends ErrorOptions {
  readonly field?: string
}

/** What went wrong on the way of one event; its message says it to a developer and holds no credential. */
export class PublishError extends Error {
  override readonly name = 'PublishError'
  readonly code: PublishErrorCode
  /** The field of the event that is wrong, a path such as `poId`. */
  readonly field: string | undefined

  constructor (code: PublishErrorCode, message: string, { field, ...options }: PublishErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.field = field
  }
}

/** What became of an event. */
export type Published = { readonly ok: true } | { readonly ok: false, readonly error: PublishError }
