type Undo = () => unknown

/** What the test helpers want of a tap test, for a program: what was set up is taken down again, the last thing first. */
export class Scope {
  readonly #undone: Undo[] = []
  #closing: Promise<void> | undefined

  constructor () {
    // However the process ends (but for SIGKILL): there is no time left to wait, but enough to end children.
    process.once('exit', () => { for (const undo of this.#takeLast()) void undo() })
  }

  teardown (undo: Undo): void {
    this.#undone.push(undo)
  }

  /**
   * Resolves when all is taken down.
   * @throws {AggregateError} then, if something could not be.
   */
  async close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    const problems: unknown[] = []
    for (const undo of this.#takeLast()) {
      try {
        await undo()
      } catch (error) {
        problems.push(error)
      }
    }
    if (problems.length > 0) throw new AggregateError(problems, 'not all could be taken down')
  }

  * #takeLast (): Generator<Undo> {
    for (let undo = this.#undone.pop(); undo !== undefined; undo = this.#undone.pop()) yield undo
  }
}
