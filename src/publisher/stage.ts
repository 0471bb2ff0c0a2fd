import type { CompletionEvent } from '../message.js'
import type { Published } from './errors.js'

/** What a stage has to show for itself. */
export interface StageResult {
  /** Shown to the merchant. */
  readonly message?: string
  readonly lineItems?: CompletionEvent['lineItems']
  /** 0–1. */
  readonly confidence?: number
}

/** What a stage tells its workflow. */
export interface StageListener {
  start (stage: Stage, message: string | undefined): Promise<Published>
  progress (stage: Stage, message: string | undefined): void
  complete (stage: Stage, result: StageResult): Promise<Published>
  fail (error: unknown, stage: Stage): Promise<Published>
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
    this.#declare(items)
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
  async start ({ items, message }: { readonly items?: number, readonly message?: string } = {}): Promise<Published> {
    this.#declare(items)
    return this.#listener.start(this, message)
  }

  /** So many more items are done. */
  advance (items = 1, message?: string): void {
    if (!(items >= 0 && items < Infinity)) return this.#listener.refuse(this, 'advance', `takes a number of items, not ${items}`)
    if (this.#items === undefined) return this.#listener.refuse(this, 'items', 'have to be declared for a stage that advances by them')
    this.#advanced = Math.min(this.#advanced + items, this.#items)
    this.#reach(this.#items === 0 ? 1 : this.#advanced / this.#items, message ?? `${this.name}: ${this.#advanced} of ${this.#items}`)
  }

  /** So much of it is done: 0–1. */
  report (fraction: number, message?: string): void {
    if (!(fraction >= 0 && fraction <= 1)) return this.#listener.refuse(this, 'fraction', `takes 0–1, not ${fraction}`)
    this.#reach(fraction, message)
  }

  /** Publishes that it is completed, and its result, if it has one. */
  async complete (result: StageResult = {}): Promise<Published> {
    return this.#listener.complete(this, result)
  }

  /** Publishes that it failed, and with it its workflow. */
  async fail (error: unknown): Promise<Published> {
    return this.#listener.fail(error, this)
  }

  #declare (items: number | undefined): void {
    if (items === undefined) return
    if (items >= 0 && items < Infinity) this.#items = items
    else this.#listener.refuse(this, 'items', `takes a number of items, not ${items}`)
  }

  #reach (fraction: number, message: string | undefined): void {
    this.#fraction = Math.max(this.#fraction, fraction)
    this.#listener.progress(this, message)
  }
}
