import { medianOf } from './median.js'

/** How runs with history fared against runs without that were alike otherwise. */
export interface Comparison {
  readonly scenario: string
  /** What the values are of. */
  readonly of: string
  /** Of the nth run with and the nth without, which were made one right after the other; ascending. */
  readonly values: readonly number[]
  readonly median: number
  /** Whether the median is beyond what history may cost. */
  readonly tooMuch: boolean
}

interface Question<Run> {
  readonly scenario: string
  readonly of: string
  readonly value: (on: Run, off: Run) => number
  readonly isTooMuch: (median: number) => boolean
}

/** `undefined` of no pair of runs, or of some that have nothing to compare. */
export function compare<Run> (on: readonly Run[], off: readonly Run[], { scenario, of, value, isTooMuch }: Question<Run>): Comparison | undefined {
  const values = on.slice(0, off.length).map((run, i) => value(run, off[i]!)).filter(Number.isFinite).sort((a, b) => a - b)
  const median = medianOf(values, (value) => value)
  return median === undefined ? undefined : { scenario, of, values, median, tooMuch: isTooMuch(median) }
}
