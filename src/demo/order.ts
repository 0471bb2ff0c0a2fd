import type { DurationStore, MerchantPublisher } from '../publisher/index.js'
import type { Random } from './random.js'

/*
 * A purchase order that nobody sent, on its way through the stages that a real one takes: for the demo page and for
 * `realtime-fanout simulate`. What happens to it is decided before it begins, so that it is the same for the same seed.
 */

/** How long one item of a stage takes, and of how many items a stage consists, from where to where. */
interface StageHabit {
  readonly itemMs: readonly [least: number, most: number]
  readonly items: readonly [least: number, most: number]
  /** What may go wrong in it. */
  readonly errors: readonly string[]
}

/** The stages in their order. */
const HABITS = {
  upload: { itemMs: [100, 300], items: [2, 6], errors: ['the upload broke off', 'the file is larger than 20 MB'] },
  validation: { itemMs: [200, 600], items: [1, 3], errors: ['the file is no PDF', 'the supplier is unknown'] },
  ai_parsing: { itemMs: [500, 1_500], items: [3, 12], errors: ['no table was found on page 2', 'the model did not answer in time'] },
  matching: { itemMs: [80, 250], items: [4, 40], errors: ['12 line items match no product', 'two products have the same SKU'] },
  saving: { itemMs: [100, 400], items: [1, 4], errors: ['the shop refuses the order: 429', 'the location has been closed'] },
} as const satisfies Record<string, StageHabit>

export type StageName = keyof typeof HABITS

export interface LineItem {
  readonly sku: string
  readonly quantity: number
  readonly unitPrice: number
}

/** All that will happen to an order. */
export interface OrderPlan {
  readonly poId: string
  readonly workflowId: string
  /** How long each item takes, in milliseconds. */
  readonly stages: ReadonlyArray<{ readonly name: StageName, readonly itemsMs: readonly number[] }>
  /** Of what the AI has read. */
  readonly confidence: number
  readonly lineItems: readonly LineItem[]
  /** Where it fails, if it does: instead of finishing this item, counted from 0. */
  readonly failure: { readonly stage: StageName, readonly item: number, readonly error: string } | undefined
}

export type OrderOutcome = 'completed' | 'failed'

/** What an order needs to happen. */
export interface OrderWorld {
  readonly publisher: Pick<MerchantPublisher, 'workflow'>
  readonly merchantId: string
  readonly durations?: DurationStore
  /** Resolves when so many milliseconds of the order's time are over; rejects to stop it. */
  readonly pause: (ms: number) => Promise<void>
}

/** What was planned to go wrong. */
class OrderFailure extends Error {}

/**
 * @param poId and that of the workflow follows from it.
 * @param failures how likely it is to fail, 0–1.
 */
export function planOrder (poId: string, random: Random, failures: number): OrderPlan {
  // Some orders are slow in all that they do.
  const tempo = random.between(0.7, 1.6)
  const stages = (Object.keys(HABITS) as StageName[]).map((name) => {
    const { items, itemMs }: StageHabit = HABITS[name]
    return { name, itemsMs: Array.from({ length: random.whole(...items) }, () => Math.round(random.between(...itemMs) * tempo)) }
  })
  const lineItems = Array.from({ length: random.whole(2, 12) }, () => ({
    sku: `SKU-${random.whole(1_000, 9_999)}`,
    quantity: random.whole(1, 48),
    unitPrice: random.whole(100, 9_999) / 100,
  }))
  const confidence = random.whole(80, 99) / 100
  // Drawn for every order, so that how many fail changes nothing else.
  const fails = random.next() < failures
  const { name, itemsMs } = random.pick(stages)
  const failure = { stage: name, item: random.whole(0, itemsMs.length - 1), error: random.pick(HABITS[name].errors) }
  return { poId, workflowId: `wf-${poId}`, stages, lineItems, confidence, failure: fails ? failure : undefined }
}

/**
 * Has it happen, and publishes it as a workflow of the publisher's.
 * Rejects with what `pause` rejects with, after the merchant has been told that the order failed.
 */
export async function runOrder (plan: OrderPlan, { publisher, merchantId, durations, pause }: OrderWorld): Promise<OrderOutcome> {
  const { poId, workflowId, failure } = plan
  const workflow = publisher.workflow({
    merchantId,
    poId,
    workflowId,
    stages: plan.stages.map(({ name, itemsMs }) => ({ name, weight: weightOf(name), items: itemsMs.length })),
    describeError: (error) => error instanceof OrderFailure ? error.message : 'the simulation was stopped',
    ...(durations !== undefined && { durations }),
  })
  try {
    for (const { name, itemsMs } of plan.stages) {
      await workflow.track(name, async (stage) => {
        for (const [item, ms] of itemsMs.entries()) {
          await pause(ms)
          if (failure?.stage === name && failure.item === item) throw new OrderFailure(failure.error)
          stage.advance()
        }
        if (name === 'ai_parsing') await stage.complete({ message: `${itemsMs.length} pages read`, confidence: plan.confidence })
        if (name === 'matching') await stage.complete({ message: `${plan.lineItems.length} line items matched`, lineItems: plan.lineItems })
      })
    }
    return 'completed'
  } catch (error) {
    if (error instanceof OrderFailure) return 'failed'
    throw error
  }
}

/** Its usual share of the time. */
function weightOf (name: StageName): number {
  const { items, itemMs } = HABITS[name]
  return (items[0] + items[1]) * (itemMs[0] + itemMs[1]) / 4
}
