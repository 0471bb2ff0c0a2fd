import { Eta } from '../../src/publisher/eta.js'
import type { Run } from './eta-run.js'

/** A run is asked so often how long it will still take, at equal distances of time. */
const INSTANTS = 400
/** What is left in the end is compared with no less than this share of the run: of 3 ms, nobody wants to know a fifth. */
const LEAST_LEFT = 0.1

/** What was said of a run, and what was true. */
export interface Saying {
  /** Since the run began; in milliseconds, as all here. */
  readonly at: number
  readonly said: number | undefined
  readonly left: number
}

/** What {@link Eta} says while a run goes on. Nothing is waited for. */
export function replay ({ stages, typical, steps }: Run): Saying[] {
  const eta = new Eta(stages, typical)
  const total = steps.at(-1)![0]
  let next = 0
  return Array.from({ length: INSTANTS }, (_, i) => {
    const at = total * i / INSTANTS
    for (; next < steps.length && steps[next]![0] <= at; next++) {
      const [ms, stage, fraction] = steps[next]!
      if (fraction === 0) eta.started(stage, ms)
      else if (fraction === 1) eta.completed(stage, ms)
      else eta.progressed(stage, fraction, ms)
    }
    return { at, said: eta.remainingMs(at), left: total - at }
  })
}

/** By which share of what is left it is off; more than 0 is too long, `undefined` that nothing is said. */
export function errorOf ({ at, said, left }: Saying): number | undefined {
  return said === undefined ? undefined : (said - left) / Math.max(left, (at + left) * LEAST_LEFT)
}
