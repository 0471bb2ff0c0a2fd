/**
 * Lets the latest of what is offered through, at most once per interval: the first at once, what comes too soon at the
 * end of the interval, if nothing later has come by then.
 */
export class Pace<T> {
  readonly #intervalMs: number
  readonly #pass: (latest: T) => void
  readonly #holding: Set<Pace<T>>
  #passedAt = -Infinity
  #held: { readonly latest: T } | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param holding where it is to be found while it holds something back. */
  constructor (intervalMs: number, pass: (latest: T) => void, holding: Set<Pace<T>>) {
    this.#intervalMs = intervalMs
    this.#pass = pass
    this.#holding = holding
  }

  offer (latest: T): void {
    this.#held = { latest }
    this.#holding.add(this)
    const waitMs = this.#passedAt + this.#intervalMs - performance.now()
    if (waitMs <= 0) this.flush()
    else this.#timer ??= setTimeout(() => { this.flush() }, waitMs)
  }

  /** Lets through what is held back, if anything is. */
  flush (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#holding.delete(this)
    if (this.#held === undefined) return
    const { latest } = this.#held
    this.#held = undefined
    this.#passedAt = performance.now()
    this.#pass(latest)
  }
}
