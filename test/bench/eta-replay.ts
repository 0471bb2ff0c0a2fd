import { Eta } from '../../src/publisher/eta.js'
import type { Run, Step } from './eta-run.js'

/** At so many instants, at equal distances of time, it is asked how long a run will still take. */
const INSTANTS = 400
/** What is left is taken to be no less than this share of the run, or half a second at the very end would have to be foretold to a tenth. */
const LEAST_LEFT = 0.1

/** What was said at an instant, and what was true; in milliseconds. */
export interface Saying {
  /** Since the run began. */
  readonly at: number
  readonly left: number
  readonly said: number | undefined
}

/** Who hears what happens in a run, and is asked how long it will still take. */
interface Forecaster {
  heed (step: Step): void
  remainingMs (now: number): number | undefined
}

/** What `Eta` says while a run goes on. Nothing is waited for. */
export function replay (run: Run): Saying[] {
  const eta = new Eta(run.stages, run.typical)
  return sayings(run, {
    heed: ([ms, stage, fraction]) => {
      if (fraction === 0) eta.started(stage, ms)
      else if (fraction === 1) eta.completed(stage, ms)
      else eta.progressed(stage, fraction, ms)
    },
    remainingMs: (now) => eta.remainingMs(now),
  })
}

/** What somebody says who goes by the average: so much done in so much time, so the rest takes so long. */
export function replayByAverage (run: Run): Saying[] {
  const done = new Map<string, number>()
  const whole = run.stages.reduce((sum, { weight }) => sum + weight, 0)
  return sayings(run, {
    heed: ([, stage, fraction]) => { done.set(stage, fraction) },
    remainingMs: (now) => {
      const share = run.stages.reduce((sum, { name, weight }) => sum + weight * (done.get(name) ?? 0), 0) / whole
      return share > 0 ? now / share - now : undefined
    },
  })
}

/** What somebody says who knows all but chance; what he errs by, nobody can do without. */
export function replayByExpectation (run: Run, expectation: ReadonlyMap<string, number>): Saying[] {
  const rest = new Map(expectation)
  let reportedAt = 0
  return sayings(run, {
    heed: ([ms, stage, fraction]) => {
      reportedAt = ms
      rest.set(stage, (1 - fraction) * expectation.get(stage)!)
    },
    remainingMs: (now) => Math.max(0, [...rest.values()].reduce((sum, ms) => sum + ms, reportedAt - now)),
  })
}

/** By which share of what is left it is off; more than 0 is too long, `undefined` that nothing was said. */
export function errorOf ({ at, left, said }: Saying): number | undefined {
  return said === undefined ? undefined : (said - left) / Math.max(left, LEAST_LEFT * (at + left))
}

/** Those after half of the time. */
export function secondHalf (sayings: readonly Saying[]): Saying[] {
  return sayings.filter(({ at, left }) => at >= left)
}

/** How much of the time the truth was told to within a fifth. */
export function within (sayings: readonly Saying[]): number {
  return sayings.filter((saying) => Math.abs(errorOf(saying) ?? Infinity) <= 0.2).length / sayings.length
}

function sayings ({ steps }: Run, forecaster: Forecaster): Saying[] {
  const total = steps.at(-1)![0]
  let next = 0
  return Array.from({ length: INSTANTS }, (_, i) => {
    const at = total * i / INSTANTS
    for (; steps[next]![0] <= at; next++) forecaster.heed(steps[next]!)
    return { at, left: total - at, said: forecaster.remainingMs(at) }
  })
}
