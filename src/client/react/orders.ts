import type { CompletionEvent } from '../events.js'
import { readOrderEvent, type OrderEvent } from './order-event.js'

/*
 * What the events of a merchant say about its purchase orders. An order is done by a progress of 100 or by a completion,
 * but for one that brings the result of a stage in the middle; it is active again if it goes on. It has failed by an
 * error, and is active again when it is tried once more.
 */

export type OrderStatus = 'active' | 'done' | 'failed'

export interface OrderStage {
  readonly name: string
  readonly completed: boolean
}

/** What is known of a purchase order. Immutable: one that is told more of is another object. */
export interface Order {
  readonly poId: string
  /** Of the run that is told of; `undefined` where no event says. */
  readonly workflowId: string | undefined
  readonly status: OrderStatus
  /** 0–100, as it was last told; an order may be done with less. */
  readonly progress: number
  /** The last one for people. */
  readonly message: string | undefined
  /** The one that it is in; or that it ended, or failed, in. */
  readonly stage: string | undefined
  /** Those that were heard of, in that order. */
  readonly stages: readonly OrderStage[]
  /** The estimate that came last, if that order is active. */
  readonly eta: Eta | undefined
  /** Why it failed, if it has; empty where it does not say. */
  readonly error: string | undefined
  /** The last one that came, with the result that it brought. */
  readonly completion: CompletionEvent | undefined
  /** Events were missed since it was last heard of. */
  readonly stale: boolean
  /** When it was last heard of, by the clock here, in Unix milliseconds. */
  readonly updatedAt: number
}

export interface Eta {
  /** What it was expected to take, still, in milliseconds. */
  readonly ms: number
  /** When it was told, by the clock here: publishers' clocks may differ. */
  readonly toldAt: number
}

/** So many orders are known at a time. Of more, the one is forgotten that finished, else was heard of, the longest ago. */
const MAX_ORDERS = 100
/** So many stages of an order are known; of more, the first are forgotten. */
const MAX_STAGES = 50
/** So many former runs of an order are known, whose last events may come late. */
const MAX_FORMER = 8

/** An order, and what is needed to understand what is told of it next. */
interface Entry {
  readonly order: Order
  /** Workflow ids of runs that another one has replaced. */
  readonly former: readonly string[]
  /** When it finished, if it has, by its publisher's clock. */
  readonly endedAt: number | undefined
}

/** The orders of one merchant, bounded in number. */
export class Orders {
  readonly #entries = new Map<string, Entry>()
  #all: ReadonlyMap<string, Order> | undefined = new Map()

  /** By purchase order, those first that were heard of first; the same map as long as nothing has changed. */
  get all (): ReadonlyMap<string, Order> {
    this.#all ??= new Map([...this.#entries].map(([poId, { order }]) => [poId, order]))
    return this.#all
  }

  /**
   * Takes in a published event; one that is not of an order, or not as it should be, changes nothing.
   * @param now Unix milliseconds by the clock here.
   */
  receive (name: string, data: unknown, now: number): void {
    const event = readOrderEvent(name, data)
    if (event === undefined) return
    const entry = this.#entries.get(event.poId)
    const next = follow(entry, event, now)
    if (next === entry) return
    this.#all = undefined
    this.#entries.set(event.poId, next)
    if (this.#entries.size > MAX_ORDERS) this.#entries.delete(this.#leastWanted(event.poId))
  }

  /** Events were missed: what is under way may have come further. */
  missed (): void {
    for (const [poId, entry] of this.#entries) {
      if (entry.order.status === 'active') this.#entries.set(poId, { ...entry, order: { ...entry.order, stale: true } })
    }
    this.#all = undefined
  }

  /** Until it is heard of again. */
  forget (poId: string): void {
    if (this.#entries.delete(poId)) this.#all = undefined
  }

  #leastWanted (except: string): string {
    const others = [...this.#entries.values()].map(({ order }) => order).filter(({ poId }) => poId !== except)
    const finished = others.filter(({ status }) => status !== 'active')
    const candidates = finished.length > 0 ? finished : others
    return candidates.reduce((oldest, order) => order.updatedAt < oldest.updatedAt ? order : oldest).poId
  }
}

/** Whether a run begins that the order's entry, if there is one, is not about. */
function begins (entry: Entry | undefined, event: OrderEvent): boolean {
  if (entry === undefined) return true
  const { workflowId, progress } = entry.order
  if (event.workflowId !== undefined && workflowId !== undefined && event.workflowId !== workflowId) return true
  // What starts after all was done is all to be done again.
  return progress === 100 && event.kind === 'started'
}

/** @returns the same entry where the event is none to heed. */
function follow (entry: Entry | undefined, event: OrderEvent, now: number): Entry {
  if (entry !== undefined && isLate(entry, event)) return entry
  const anew = begins(entry, event)
  const order = told(anew || entry === undefined ? fresh(event) : entry.order, event, now)
  const ended = order.status !== 'active'
  return {
    order,
    former: formerOf(entry, order),
    endedAt: !ended ? undefined : !anew && entry?.order.status === order.status ? entry.endedAt : event.timestamp,
  }
}

/** Whether it tells of what is over: of a former run, or of a time before the end. */
function isLate ({ order, former, endedAt }: Entry, { workflowId = order.workflowId, kind, timestamp }: OrderEvent): boolean {
  // A former run that starts something has not been replaced for good: two go on at once.
  if (workflowId !== order.workflowId) return workflowId !== undefined && former.includes(workflowId) && kind !== 'started'
  return endedAt !== undefined && timestamp !== undefined && timestamp < endedAt
}

function formerOf (entry: Entry | undefined, { workflowId }: Order): readonly string[] {
  if (entry === undefined) return []
  const replaced = entry.order.workflowId
  if (replaced === undefined || replaced === workflowId) return entry.former
  return [...entry.former.filter((id) => id !== workflowId), replaced].slice(-MAX_FORMER)
}

function fresh ({ poId, workflowId }: OrderEvent): Order {
  return {
    poId,
    workflowId,
    status: 'active',
    progress: 0,
    message: undefined,
    stage: undefined,
    stages: [],
    eta: undefined,
    error: undefined,
    completion: undefined,
    stale: false,
    updatedAt: 0,
  }
}

function told (before: Order, event: OrderEvent, now: number): Order {
  const order: Order = { ...before, workflowId: event.workflowId ?? before.workflowId, stale: false, updatedAt: now }
  switch (event.kind) {
    case 'progress': {
      const { progress, message = order.message, etaMs } = event
      if (progress === 100) return { ...order, ...ENDED, status: 'done', progress, message }
      const eta = etaMs === undefined ? undefined : { ms: etaMs, toldAt: now }
      return { ...order, status: 'active', error: undefined, progress, message, eta }
    }
    case 'started': {
      const { stage, message = order.message } = event
      return { ...order, status: 'active', error: undefined, message, stage, stages: staged(order.stages, stage, false) }
    }
    case 'completed': {
      const { message = order.message } = event
      const stages = staged(order.stages, event.stage, true)
      // Another one may still be under way.
      const stage = stages.findLast(({ completed }) => !completed)?.name ?? event.stage
      return order.status === 'active' ? { ...order, message, stage, stages } : { ...order, stages }
    }
    case 'completion': {
      const { stage, completion } = event
      if (isInTheMiddle(order, stage)) return { ...told(order, { ...event, kind: 'completed', message: undefined }, now), completion }
      return { ...order, ...ENDED, status: 'done', stage, stages: staged(order.stages, stage, true), completion }
    }
    case 'error': {
      const { stage, error } = event
      return { ...order, ...ENDED, status: 'failed', stage, stages: staged(order.stages, stage, false), error }
    }
  }
}

/** Whether a completion brings the result of a stage only: of one that was told of, and of which more than nothing was done, and less than all. */
function isInTheMiddle ({ progress, stages }: Order, stage: string): boolean {
  return progress > 0 && progress < 100 && stages.some(({ name }) => name === stage)
}

const ENDED = { eta: undefined, error: undefined } as const

function staged (stages: readonly OrderStage[], name: string, completed: boolean): readonly OrderStage[] {
  const known = stages.find((stage) => stage.name === name)
  if (known === undefined) return [...stages, { name, completed }].slice(-MAX_STAGES)
  return known.completed === completed ? stages : stages.map((stage) => stage === known ? { name, completed } : stage)
}
