import type { CompletionEvent } from '../events.js'

interface About {
  readonly poId: string
  readonly workflowId: string | undefined
  /** When it happened, by its publisher's clock, in Unix milliseconds. */
  readonly timestamp: number | undefined
}

/** A published event as far as it tells of an order. */
export type OrderEvent = About & (
  | { readonly kind: 'progress', readonly progress: number, readonly message: string | undefined, readonly etaMs: number | undefined }
  | { readonly kind: 'started' | 'completed', readonly stage: string, readonly message: string | undefined }
  | { readonly kind: 'completion', readonly stage: string, readonly completion: CompletionEvent }
  | { readonly kind: 'error', readonly stage: string, readonly error: string }
)

/**
 * Reads what was published, as it is no more than claimed to be an event of the schemas: who publishes to Redis is checked
 * by nobody.
 * @returns `undefined` where it is none that tells of an order.
 */
export function readOrderEvent (name: string, data: unknown): OrderEvent | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const fields = data as Readonly<Record<string, unknown>>
  const poId = textOf(fields.poId)
  if (poId === undefined) return undefined
  const about: About = { poId, workflowId: textOf(fields.workflowId), timestamp: numberOf(fields.timestamp) }
  const message = textOf(fields.message)
  if (name === 'progress') {
    const progress = numberOf(fields.progress)
    if (progress === undefined) return undefined
    return { ...about, kind: 'progress', progress: Math.min(progress, 100), message, etaMs: numberOf(fields.etaMs) }
  }
  const stage = textOf(fields.stage)
  if (stage === undefined) return undefined
  switch (name) {
    case 'stage':
      return fields.status === 'started' || fields.status === 'completed' ? { ...about, kind: fields.status, stage, message } : undefined
    case 'completion':
      return { ...about, kind: 'completion', stage, completion: data as CompletionEvent }
    case 'error':
      return { ...about, kind: 'error', stage, error: textOf(fields.error) ?? '' }
    default:
      return undefined
  }
}

function textOf (value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A number that is not below 0. */
function numberOf (value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value < Infinity ? value : undefined
}
