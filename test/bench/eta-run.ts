import type { StagePlan } from '../../src/publisher/eta.js'
import type { TypicalDuration } from '../../src/publisher/durations.js'

/** A stage gets so far: 0 is that it started, 1 that it was completed. Milliseconds since the run began. */
export type Step = readonly [ms: number, stage: string, fraction: number]

/** A workflow that ran, or might have. */
export interface Run {
  readonly name: string
  readonly stages: readonly StagePlan[]
  /** How long its stages took before. */
  readonly typical: ReadonlyMap<string, TypicalDuration>
  /** In order of time; the last one is its end. */
  readonly steps: readonly Step[]
}
