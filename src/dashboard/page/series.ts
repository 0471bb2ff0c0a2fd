import { FIELDS, type Field, type Now, type Past } from '../wire.js'

/** No less than so much is drawn, in seconds. */
const LEAST_S = 120
/** Between samples that are so many of their intervals apart, nothing is known. */
const HOLE = 2.5

type Column = Array<number | null>

/** The last 15 minutes, as columns that a chart can draw; times are in seconds. */
export class Series {
  readonly #columns = Object.fromEntries(FIELDS.map((field) => [field, []])) as unknown as Record<Field, Column>
  #everyS = 1
  #keptS = 900

  /** Takes what an instance has kept. What is older, of this instance or of one before it, stays. */
  begin (past: Past, everyMs: number, keptMs: number): void {
    this.#everyS = everyMs / 1_000
    this.#keptS = keptMs / 1_000
    for (let i = 0; i < past.at.length; i++) this.add(Object.fromEntries(FIELDS.map((field) => [field, past[field][i]!])) as Now['sample'])
  }

  add (sample: Now['sample']): void {
    const at = sample.at! / 1_000
    // What is not before it has come already, or was told by a clock that was set back since.
    const before = this.#columns.at.findLastIndex((time) => time! < at) + 1
    for (const field of FIELDS) this.#columns[field].length = before
    const end = this.end
    if (end !== undefined && at - end > HOLE * this.#everyS) this.#push((field) => field === 'at' ? end + this.#everyS : null)
    this.#push((field) => field === 'at' ? at : sample[field])
    while (this.#columns.at[0]! < at - this.#keptS) for (const field of FIELDS) this.#columns[field].shift()
  }

  /** The time of the last one, in seconds. */
  get end (): number | undefined {
    return this.#columns.at.at(-1) ?? undefined
  }

  /** From when to when there is something to draw: 15 minutes, but less for a process that is young. */
  get span (): [from: number, to: number] {
    const end = this.end ?? 0
    return [Math.max(end - this.#keptS, Math.min(this.#columns.at[0] ?? 0, end - LEAST_S)), end]
  }

  at (field: Field, index: number): number | null | undefined {
    return this.#columns[field].at(index)
  }

  of (field: Field): Column {
    return this.#columns[field]
  }

  #push (valueOf: (field: Field) => number | null): void {
    for (const field of FIELDS) this.#columns[field].push(valueOf(field))
  }
}
