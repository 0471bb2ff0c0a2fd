import type { TypicalDuration } from '../../src/publisher/durations.js'
import type { StagePlan } from '../../src/publisher/eta.js'

/** A stage got so far: 0 is that it started, 1 that it was completed. Milliseconds since the run began. */
export type Step = readonly [ms: number, stage: string, fraction: number]

/** A workflow that ran, or might have. */
export interface Run {
  readonly stages: readonly StagePlan[]
  /** How long its stages usually took before. */
  readonly typical: ReadonlyMap<string, TypicalDuration>
  /** In order of time; the last one is its end. */
  readonly steps: readonly Step[]
  /** How long its stages had to be expected to take by one who knew all but chance; absent where nobody does. */
  readonly expectation?: ReadonlyMap<string, number>
}

/** Runs that differ by chance only. */
export interface Kind {
  readonly name: string
  readonly runs: readonly Run[]
  /** So much of the second half of the time, over all runs, the ETA is claimed to be within a fifth of the truth. */
  readonly claim?: number
}
