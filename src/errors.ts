import createError from '@fastify/error'

/*
 * Everything that a caller can be told, with a code that stays the same across releases. Fastify adds its own
 * (`FST_ERR_CTP_INVALID_MEDIA_TYPE`, `FST_ERR_CTP_BODY_TOO_LARGE`, …), which are as stable.
 * `%s` is filled in by the thrower, never with a credential.
 */

export const BadPath = createError('RTF_BAD_PATH', 'the path is not well-formed', 400)
export const BadHttp = createError<[code: string]>('RTF_BAD_HTTP', 'this is no HTTP that can be served: %s', 400)
export const RequestTimeout = createError('RTF_REQUEST_TIMEOUT', 'the request took too long to arrive', 408)
export const HeadTooLarge = createError('RTF_HEAD_TOO_LARGE', 'the head of the request is too large', 431)
export const BadMerchantId = createError('RTF_BAD_MERCHANT_ID',
  'a merchant id is 1–128 of A–Z a–z 0–9 . _ - and starts with a letter or digit', 400)
export const BadTopics = createError('RTF_BAD_TOPICS',
  'topics is a comma-separated list of at most %s topics; a topic is 1–64 of A–Z a–z 0–9 . _ - :', 400)
export const BadReplay = createError<[most: number]>('RTF_BAD_REPLAY', 'replay is a whole number of events, 0–%s', 400)
export const BadEvent = createError<[field: string, problem: string]>('RTF_BAD_EVENT', '%s %s', 400)
export const BadBatch = createError('RTF_BAD_BATCH', 'the body is one event or an array of 1–%s events', 400)
export const EventTooLarge = createError<[which: string, limit: number]>('RTF_EVENT_TOO_LARGE', '%s has more than %s bytes', 413)
export const Pipelined = createError('RTF_PIPELINED', 'a stream cannot be pipelined behind another request', 400)
export const CredentialMissing = createError('RTF_CREDENTIAL_MISSING', 'this takes a credential: %s', 401)
export const CredentialTwice = createError('RTF_CREDENTIAL_TWICE', 'there is more than one %s', 400)
export const BadToken = createError<[why: string]>('RTF_BAD_TOKEN', 'the token is not accepted: %s', 401)
export const TokenExpired = createError('RTF_TOKEN_EXPIRED', 'the token has expired', 401)
export const BadSignature = createError<[why: string]>('RTF_BAD_SIGNATURE', 'the signed query is not accepted: %s', 401)
export const BadTicket = createError('RTF_BAD_TICKET', 'the ticket is unknown, used or expired', 401)
export const ForeignTicket = createError<[what: string]>('RTF_FOREIGN_TICKET', 'the ticket is for other %s', 403)
export const ForeignMerchant = createError('RTF_FOREIGN_MERCHANT', 'the credential is for another merchant', 403)
export const RateExceeded = createError<[what: string]>('RTF_RATE_EXCEEDED', 'too many %s; see Retry-After', 429)
export const AuthAway = createError('RTF_AUTH_AWAY', 'what credentials are checked by, or tickets are kept in, cannot be reached just now', 503)
export const Draining = createError('RTF_DRAINING', 'this instance is about to end; another one will serve you', 503)
export const MerchantMissing = createError('RTF_MERCHANT_MISSING', 'say which merchant: ?merchantId=', 401)
export const BadPublishKey = createError('RTF_BAD_PUBLISH_KEY', 'publishing takes Authorization: Bearer <PUBLISH_KEY>', 401)
export const BadOpsKey = createError('RTF_BAD_OPS_KEY', 'this takes Authorization: Bearer <OPS_KEY>, or the session of who has shown it', 401)
export const ForeignOrigin = createError('RTF_FOREIGN_ORIGIN', 'this origin may not use the service; see CORS_ORIGINS', 403)
export const NotFound = createError('RTF_NOT_FOUND', 'there is nothing at this path', 404)
export const MethodNotAllowed = createError('RTF_METHOD_NOT_ALLOWED', 'this path does not take %s', 405)
export const NotAcceptable = createError('RTF_NOT_ACCEPTABLE', 'this is a stream of text/event-stream, which Accept excludes', 406)
export const BrokerAway = createError('RTF_BROKER_AWAY', 'the broker cannot be reached just now', 503)
export const Internal = createError('RTF_INTERNAL', 'something went wrong here', 500)
