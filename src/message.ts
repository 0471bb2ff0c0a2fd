import { isUtf8 } from 'node:buffer'
import { Type, type Static } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'

/*
 * The wire between publishers and this service: channels `<prefix>:<merchantId>:<topic>` that carry one JSON object
 * each. Shared by everything that publishes, receives or types an event. DESIGN §3.
 */

const MERCHANT_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
const TOPIC = /^[A-Za-z0-9._:-]{1,64}$/
const EVENT_NAME = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/

/** Topics with a schema and a metric label of their own; all others pass, and are counted as `other`. */
export const TOPICS = ['progress', 'stage', 'completion', 'error'] as const
export type KnownTopic = typeof TOPICS[number]
export type TopicLabel = KnownTopic | 'other'

/** SSE event names that only the service itself may send: a client acts on them. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(['gap', 'close'])

const PoId = Type.String({ minLength: 1 })
const WorkflowId = Type.Optional(Type.String({ minLength: 1 }))
const Timestamp = Type.Optional(Type.Integer({ minimum: 0, description: 'Unix milliseconds' }))

export const ProgressEvent = Type.Object({
  type: Type.Literal('progress'),
  poId: PoId,
  progress: Type.Number({ minimum: 0, maximum: 100 }),
  message: Type.String(),
  workflowId: WorkflowId,
  etaMs: Type.Optional(Type.Number({ minimum: 0 })),
  timestamp: Timestamp,
})
export const StageEvent = Type.Object({
  type: Type.Literal('stage'),
  stage: Type.String({ minLength: 1 }),
  poId: PoId,
  status: Type.Union([Type.Literal('started'), Type.Literal('completed')]),
  message: Type.String(),
  workflowId: WorkflowId,
  timestamp: Timestamp,
})
export const CompletionEvent = Type.Object({
  type: Type.Literal('completion'),
  stage: Type.String({ minLength: 1 }),
  poId: PoId,
  workflowId: WorkflowId,
  lineItems: Type.Optional(Type.Unknown()),
  confidence: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  timestamp: Timestamp,
})
export const ErrorEvent = Type.Object({
  type: Type.Literal('error'),
  stage: Type.String({ minLength: 1 }),
  poId: PoId,
  error: Type.String(),
  workflowId: WorkflowId,
  timestamp: Timestamp,
})

export type ProgressEvent = Static<typeof ProgressEvent>
export type StageEvent = Static<typeof StageEvent>
export type CompletionEvent = Static<typeof CompletionEvent>
export type ErrorEvent = Static<typeof ErrorEvent>
export type KnownEvent = ProgressEvent | StageEvent | CompletionEvent | ErrorEvent

const checks = {
  progress: TypeCompiler.Compile(ProgressEvent),
  stage: TypeCompiler.Compile(StageEvent),
  completion: TypeCompiler.Compile(CompletionEvent),
  error: TypeCompiler.Compile(ErrorEvent),
} as const

/** What a channel says. */
export interface Address {
  readonly merchantId: string
  readonly topic: string
}

/** One published event on its way to the clients of a merchant. */
export interface Message extends Address {
  /** The SSE event name: the payload's `type` where that is a valid name, else the topic. */
  readonly name: string
  /** The JSON text as it was published. */
  readonly payload: string
  /**
   * What it is the latest word on: of messages with the same value, a client that lags is owed the last one only.
   * `undefined` where each message counts.
   */
  readonly supersedes: string | undefined
  /** When the publisher says it happened, in Unix milliseconds; `undefined` if it says nothing of the kind. */
  readonly timestamp: number | undefined
}

/** Why a received message was dropped; the closed set of `messages_dropped_total{reason}`. */
export const DROP_REASONS = ['bad_channel', 'too_big', 'not_utf8', 'not_json', 'not_object', 'reserved_name'] as const
export type DropReason = typeof DROP_REASONS[number]

export const isMerchantId = (value: string): boolean => MERCHANT_ID.test(value)
export const isTopic = (value: string): boolean => TOPIC.test(value)

export function topicLabel (topic: string): TopicLabel {
  return isKnown(topic) ? topic : 'other'
}

export function channelOf (prefix: string, { merchantId, topic }: Address): string {
  return `${prefix}:${merchantId}:${topic}`
}

/** The merchant and topic that a channel names, or `undefined` where it is not of this service's form. */
export function addressOf (prefix: string, channel: string): Address | undefined {
  const start = prefix.length + 1
  const middle = channel.indexOf(':', start)
  if (middle < 0 || channel[prefix.length] !== ':' || !channel.startsWith(prefix)) return undefined
  const merchantId = channel.slice(start, middle)
  const topic = channel.slice(middle + 1)
  return MERCHANT_ID.test(merchantId) && TOPIC.test(topic) ? { merchantId, topic } : undefined
}

/**
 * Reads what the broker delivered. Never throws: a message that cannot be passed on gives the reason instead.
 * @internal What a client declares is to need no types of Node.js.
 */
export function decode (prefix: string, maxBytes: number, channel: string, payload: Buffer): Message | DropReason {
  const address = addressOf(prefix, channel)
  if (address === undefined) return 'bad_channel'
  if (payload.length > maxBytes) return 'too_big'
  if (!isUtf8(payload)) return 'not_utf8'
  const text = payload.toString()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'not_json' // The parser's message quotes the payload, which is not ours to show.
  }
  if (!isObject(value)) return 'not_object'
  const { type, timestamp, poId, workflowId } = value
  const name = typeof type === 'string' && EVENT_NAME.test(type) ? type : address.topic
  if (RESERVED_NAMES.has(name)) return 'reserved_name'
  return {
    merchantId: address.merchantId,
    topic: address.topic,
    name,
    payload: text,
    supersedes: name === 'progress' ? workOf(poId, workflowId) : undefined,
    timestamp: typeof timestamp === 'number' ? timestamp : undefined,
  }
}

/** One name for the piece of work that a progress event is about; `undefined` where it does not say in the way of its schema. */
function workOf (poId: unknown, workflowId: unknown = ''): string | undefined {
  if (typeof poId !== 'string' || typeof workflowId !== 'string') return undefined
  return `${poId.length}:${poId}${workflowId}` // With the length, no two pairs look the same.
}

/** An event that may be published: one of the four of the schemas, or an object of another, validly named type. */
export interface PublishableEvent {
  readonly type: string
  readonly [field: string]: unknown
}

/** The first thing wrong with an event that somebody wants to publish; `field` is a path such as `poId`. */
export interface EventProblem {
  readonly field: string
  readonly problem: string
}

/**
 * The event to publish, stamped with `now` where it is one of the four and has no `timestamp`, or what is wrong with it.
 * Its topic is its type.
 */
export function publishable (value: unknown, now: number): { event: PublishableEvent } | EventProblem {
  if (!isObject(value)) return { field: 'event', problem: 'is not an object' }
  const { type } = value
  if (type === undefined) return { field: 'type', problem: 'is missing' }
  if (typeof type !== 'string' || !EVENT_NAME.test(type)) {
    return { field: 'type', problem: 'is not a letter followed by at most 63 letters, digits, dots, underscores or hyphens' }
  }
  if (RESERVED_NAMES.has(type)) return { field: 'type', problem: 'is a name that only the service itself sends' }
  const event: PublishableEvent = { ...value, type }
  if (!isKnown(type)) return { event }
  const error = checks[type].Errors(event).First()
  if (error !== undefined) return { field: error.path.slice(1), problem: error.value === undefined ? 'is missing' : `is wrong: ${error.message}` }
  return { event: event.timestamp === undefined ? { ...event, timestamp: now } : event }
}

function isKnown (topic: string): topic is KnownTopic {
  return Object.hasOwn(checks, topic)
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
