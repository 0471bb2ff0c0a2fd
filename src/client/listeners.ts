/** Those who want to be told of something. */
export class Listeners<Told extends unknown[]> {
  readonly #all = new Set<{ readonly tell: (...told: Told) => void }>()

  /** @returns what takes it out again. */
  add (tell: (...told: Told) => void): () => void {
    const listener = { tell } // The same function may be added twice.
    this.#all.add(listener)
    return () => { this.#all.delete(listener) }
  }

  /** All that there are now. What one of them throws is reported, and none of the others' business. */
  tell (...told: Told): void {
    for (const { tell } of [...this.#all]) {
      try {
        tell(...told)
      } catch (error) {
        report(error)
      }
    }
  }
}

/** As what an event listener of the platform throws: to `window.onerror`, or `uncaughtException`. */
export function report (error: unknown): void {
  const { reportError } = globalThis as { reportError?: (error: unknown) => void }
  if (reportError !== undefined) reportError(error)
  else queueMicrotask(() => { throw error })
}
