/** What happened when, told as it happens. */
export class Diary {
  /** What should not have happened. */
  readonly complaints: string[] = []
  /** How often a kubelet would have restarted a pod that seems dead. */
  restarts = 0
  /** Pods that ended in another way than in order and with 0. */
  badEnds = 0
  readonly #startedAt = performance.now()

  note (what: string): void {
    process.stderr.write(`${((performance.now() - this.#startedAt) / 1_000).toFixed(1).padStart(6)} s  ${what}\n`)
  }

  complain (what: string): void {
    this.complaints.push(what)
    this.note(`${what}: NOT AS IT SHOULD BE`)
  }
}
