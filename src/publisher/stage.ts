import type { CompletionEvent } from '../message.js'
import type { Published } from './errors.js'

/** What a stage has to show for itself. */
export interface StageResult {
  /** Shown to the merchant. */
  readonly message?: string | undefined
  readonly lineItems?: CompletionEvent['lineItems']
  /** 0–1. */
  readonly confidence?: number | undefined
}

/** What a stage tells its workflow. */
export interface StageListener {
  start (stage: Stage, message: string | undefined): Promise<Published>
  /** How many items it has, when that is known only after its start. */
  expect (stage: Stage): void
  progress (stage: Stage, message: string | undefined): void
  complete (stage: Stage, result: StageResult): Promise<Published>
  fail (error: unknown, stage: Stage): Promise<Published>
  /** Whether it is too late for news of it; that is told, once. */
  isLate (stage: Stage): boolean
  /** That it was told something that makes no sense. */
  refuse (stage: Stage, field: string, problem: string): void
}

/**
 * One stage of a workflow. It may run while others run. What makes no sense (an `advance` of NaN, any news of a stage
 * that has ended) is reported like a failed publish and changes nothing.
 */
export class Stage {
  readonly name: string
  readonly weight: number
  #items: number | undefined
  #advanced = 0
  #fraction = 0
  readonly #listener: StageListener

  constructor (name: string, weight: number, items: number | undefined, listener: StageListener) {
    this.name = name
    this.weight = weight
    this.#listener = listener
    if (items !== undefined) this.expect(items)
  }

  /** How much of it is done: 0–1, never less than before. */
  get fraction (): number {
    return this.#fraction
  }

  /** Of how many items it consists, where that is known. */
  get items (): number | undefined {
    return this.#items
  }

  /** Publishes that it started, once. A stage that is heard of has started, even if nobody said so. */
  async start ({ items, message }: { readonly items?: number | undefined, readonly message?: string | undefined } = {}): Promise<Published> {
    if (items !== undefined) this.expect(items)
    return this.#listener.start(this, message)
  }

  /** So many items there are to {@link Stage.advance} by. */
  expect (items: number): void {
    if (!isAmount(items)) return this.#listener.refuse(this, 'items', `takes a number of items, not ${String(items)}`)
    if (this.#listener.isLate(this)) return
    this.#items = items
    this.#listener.expect(this)
  }

  /** So many more items are done. */
  advance (items = 1, message?: string): void {
    if (!isAmount(items)) return this.#listener.refuse(this, 'advance', `takes a number of items, not ${String(items)}`)
    if (this.#items === undefined) return this.#listener.refuse(this, 'items', 'have to be declared for a stage that advances by them')
    if (this.#listener.isLate(this)) return
    this.#advanced = Math.min(this.#advanced + items, this.#items)
    this.#reach(this.#items === 0 ? 1 : this.#advanced / this.#items, message ?? `${this.name}: ${this.#advanced} of ${this.#items}`)
  }

  /** So much of it is done: 0–1. */
  report (fraction: number, message?: string): void {
    if (!isAmount(fraction) || fraction > 1) return this.#listener.refuse(this, 'fraction', `takes 0–1, not ${String(fraction)}`)
    if (this.#listener.isLate(this)) return
    this.#reach(fraction, message)
  }

  /** Publishes that it is completed, and its result, if it has one. */
  async complete (result?: StageResult): Promise<Published> {
    return this.#listener.complete(this, result ?? {})
  }

  /** Publishes that it failed, and with it its workflow. */
  async fail (error: unknown): Promise<Published> {
    return this.#listener.fail(error, this)
  }

  #reach (fraction: number, message: string | undefined): void {
    this.#fraction = Math.max(this.#fraction, fraction)
    this.#listener.progress(this, message)
  }
}

function isAmount (value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < Infinity
}
