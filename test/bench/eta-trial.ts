import { writeFileSync } from 'node:fs'
import { plot } from './eta-plot.js'
import { recordedKinds } from './eta-recording.js'
import { errorOf, replay, replayByAverage, replayByExpectation, secondHalf, within, type Saying } from './eta-replay.js'
import type { Kind, Run } from './eta-run.js'
import { syntheticKinds } from './eta-synthetic.js'
import { medianOf } from './median.js'
import type { EtaScenario } from './scenarios.js'

/** How well the time that was left was told, over the runs of a kind; shares are of 1. */
export interface EtaTrial {
  readonly kind: 'eta'
  readonly scenario: string
  /** Which runs. */
  readonly runs: string
  readonly count: number
  /** After which share of the time something was said, and how wrong it was then; medians, as the errors are. */
  readonly first: { readonly after: number, readonly error: number }
  /** At a quarter, half and three quarters of the time; more than 0 is too long. */
  readonly errors: readonly [number, number, number]
  /** After half of the time; the median of the runs. */
  readonly worst: number
  /** How much of the second half of the time the truth was told to within a fifth … */
  readonly within: number
  /** … and how much of it is claimed, is told by the average rate, and by one who knows all but chance. */
  readonly claim: number | undefined
  readonly withinByAverage: number
  readonly withinByExpectation: number | undefined
  /** Whether no more is claimed. */
  readonly sound: boolean
  readonly notes: readonly string[]
}

/** Every kind of run, as fast as it can be told. */
export function foretell ({ name }: EtaScenario, plotPath: string): EtaTrial[] {
  const kinds = kindsOfRuns()
  writeFileSync(plotPath, plot(kinds.map(({ name, runs }) => ({ name, sayings: replay(runs[0]!) }))))
  return kinds.map((kind) => judge(name, kind))
}

/** The recorded ones first. */
export function kindsOfRuns (): Kind[] {
  return [...recordedKinds(), ...syntheticKinds()]
}

/** How much of the second half of their time the runs' ends were foretold to within a fifth. */
export function heldShare (runs: readonly Run[], replayed: (run: Run) => Saying[] = replay): number {
  return within(runs.flatMap((run) => secondHalf(replayed(run))))
}

function judge (scenario: string, { name, runs, claim }: Kind): EtaTrial {
  const said = runs.map(replay)
  const firsts = said.map((sayings) => sayings.find(({ said }) => said !== undefined)!)
  const held = heldShare(runs)
  return {
    kind: 'eta',
    scenario,
    runs: name,
    count: runs.length,
    first: { after: median(firsts.map(({ at, left }) => at / (at + left))), error: median(firsts.map((first) => Math.abs(errorAt(first)))) },
    errors: [errorAround(said, 0.25), errorAround(said, 0.5), errorAround(said, 0.75)],
    worst: median(said.map((sayings) => Math.max(...secondHalf(sayings).map((saying) => Math.abs(errorAt(saying)))))),
    within: held,
    claim,
    withinByAverage: heldShare(runs, replayByAverage),
    withinByExpectation: runs[0]!.expectation === undefined ? undefined : heldShare(runs, (run) => replayByExpectation(run, run.expectation!)),
    sound: claim === undefined || held >= claim,
    notes: [],
  }
}

const errorAround = (runs: readonly Saying[][], share: number) => median(runs.map((sayings) => errorAt(sayings[Math.floor(sayings.length * share)]!)))
const errorAt = (saying: Saying) => errorOf(saying) ?? NaN
const median = (values: readonly number[]) => medianOf(values, (value) => value)!
