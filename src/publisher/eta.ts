import type { TypicalDuration } from './durations.js'
import { Reports } from './reports.js'

/*
 * The constants were chosen by simulation: 66 kinds of runs, 30 of each (5 to 500 items whose durations vary by 5 to 100 %,
 * in bursts, at a pace that doubles, halves or drifts, with a stall, silent, in one stage and in five, with history that is
 * right, wrong by a factor of two, or absent). None of them is sharp: half or twice of one changes the mean error by a
 * fiftieth of itself at most; what it trades for what is said with it. The benchmark's scenario `eta` has those kinds that tell most.
 */

/** Progress that lies back by this share of a stage weighs a third (1/e) in what is measured of it … */
const LONG_MEMORY = 1
/** … and by this one in what was measured lately … */
const SHORT_MEMORY = 0.1
/** … which is believed so far as it deviates by more than chance explains, times this. Less follows a change sooner, and chance. */
const DOUBT = 3
/** What a stage usually takes counts as much as this share of it, measured … */
const TRUST = 0.5
/** … and a third of that for each further share of the stage that was measured: at half of it, next to nothing. */
const TRUST_MEMORY = 0.07
/**
 * When so much of a workflow's usual time has run at another pace, the stages to come are believed to differ half as much.
 * Less is better where all of a workflow is slower than usual, more where its stages differ each by itself.
 */
const TEMPO_TRUST = 0.1
/** Before a stage is judged by what was measured of it, that must be so many typical reports (three of steady ones), or a tenth of it. */
const LEAST_REPORTS = 2.5
const LEAST_SHARE = 0.1
/** A report is waited for until this share of its usual gap is left … */
const LEAST_REST = 0.05
/** … and from then on for so much more with each millisecond: what is late is likely to be late for longer. */
const GROWTH = 0.3

/** A stage of a workflow, as it is known beforehand. */
export interface StagePlan {
  /** No other stage of the workflow has the same. */
  readonly name: string
  /** How long it takes in comparison with the others, as far as nothing better is known; more than 0. */
  readonly weight: number
  readonly items?: number
}

/**
 * How long a workflow will still take. It keeps no time and does no I/O: whoever calls it says what happened and when, in
 * milliseconds of a monotonic clock.
 *
 * **A stage that runs** goes on at its pace, the milliseconds that the whole of it takes: a mean in which progress weighs
 * exponentially less the more was made since. Weights go by progress, not by the clock as in indicatif (15 s): a workflow may
 * take a second or an hour, and reports that come together count for what they report (in tqdm, with its `smoothing`, each
 * counts the same; indicatif#656 and rust-parallel#17 tell how bursts make an ETA jump). There are two such means, of long
 * memory and of short; the short one is followed as far as it differs by more than chance explains, which the reports
 * themselves tell: the more there are, and the steadier, the less. (So the positive part of James and Stein's estimator.)
 * What the stage usually takes counts like a share of it that was measured beforehand, and is forgotten sooner.
 *
 * **Between reports** the time is counted down. What is late is taken for a report that brings no progress, as in indicatif,
 * but only once it is later than reports usually are (indicatif#580: an ETA that goes up until the next report): from then on
 * the estimate grows. How long reports usually take to come is told by the gap that a random moment falls into, Σgap²/Σgap:
 * of reports that come steadily, it is the gap between them, and of bursts, the gap between bursts.
 *
 * **A stage that reports nothing** but its start and its end is one report of all of it: what it usually takes, less what
 * has passed, down to a twentieth of it; when it overruns, up again by 0.3 ms with every millisecond.
 *
 * **A stage that is still to come** takes what it usually does (by its items, where their number and the time of one are
 * known), scaled by how the workflow has fared against the usual so far; if nothing is known of it, what its weight stands
 * for, by what was measured of the other stages. Stages that run at the same time are waited for together, those that are
 * still to come one after another.
 */
export class Eta {
  readonly #stages: ReadonlyMap<string, Stage>

  /** @param typical how long its stages usually take, as far as that is known already. */
  constructor (stages: readonly StagePlan[], typical: ReadonlyMap<string, TypicalDuration> = new Map()) {
    this.#stages = new Map(stages.map((plan) => [plan.name, new Stage(plan)]))
    this.learn(typical)
  }

  /** How long stages usually take, when that is known only later; of stages that are absent, what is known stays. */
  learn (typical: ReadonlyMap<string, TypicalDuration>): void {
    for (const [name, stage] of this.#stages) stage.learn(typical.get(name))
  }

  /** How many items a stage has, when that is known only later. */
  expect (stage: string, items: number): void {
    this.#stage(stage).expect(items)
  }

  /** A second time: the stage is run again from its beginning. This and the next two throw a RangeError for a stage that the workflow does not have. */
  started (name: string, now: number): void {
    this.#stage(name).start(now)
  }

  /** @param fraction how much of the stage is done, 0 to 1; what is no progress, and what comes while the stage does not run, is ignored. */
  progressed (name: string, fraction: number, now: number): void {
    this.#stage(name).progress(fraction, now)
  }

  /** Also of a stage that is left out, which never started. */
  completed (name: string, now: number): void {
    this.#stage(name).complete(now)
  }

  /**
   * In whole milliseconds, at least 0. `undefined` before anything has started, and while there is a stage of which too
   * little is known: nothing usual, and not yet three reports or a tenth of it, nor of another one by whose weight it could be told.
   */
  remainingMs (now: number): number | undefined {
    const stages = [...this.#stages.values()]
    if (stages.every(({ state }) => state === 'pending')) return undefined
    const tempo = tempoOf(stages)
    let [running, pending] = [0, 0]
    for (const stage of stages) {
      if (stage.state === 'completed') continue
      const expected = stage.usualMs === undefined ? expectedByWeight(stage, stages) : stage.usualMs * tempo
      const rest = stage.state === 'running' ? stage.remaining(now, expected) : expected
      if (rest === undefined) return undefined
      if (stage.state === 'running') running = Math.max(running, rest)
      else pending += rest
    }
    const ms = Math.round(running + pending)
    return Number.isSafeInteger(ms) ? ms : undefined
  }

  #stage (name: string): Stage {
    const stage = this.#stages.get(name)
    if (stage === undefined) throw new RangeError(`the workflow has no stage ${JSON.stringify(name)}`)
    return stage
  }
}

/** How many times as long as usual this workflow takes, by what was measured of the stages whose usual duration is known. */
function tempoOf (stages: readonly Stage[]): number {
  let [took, usual, whole] = [0, 0, 0]
  for (const { usualMs, evidence } of stages) {
    if (usualMs === undefined) continue
    whole += usualMs
    took += evidence?.ms ?? 0
    usual += usualMs * (evidence?.share ?? 0)
  }
  return whole === 0 ? 1 : (took + TEMPO_TRUST * whole) / (usual + TEMPO_TRUST * whole)
}

/** How long a stage takes by its weight: as the others do, by what was measured of them or, as long as that is nothing, by what is usual. */
function expectedByWeight (stage: Stage, stages: readonly Stage[]): number | undefined {
  const others = stages.filter((other) => other !== stage)
  const unit = ratio(others, ({ evidence }) => evidence) ?? ratio(others, ({ usualMs }) => usualMs === undefined ? undefined : { ms: usualMs, share: 1 })
  return unit === undefined ? undefined : unit * stage.weight
}

/** How long a weight of 1 takes, in milliseconds. */
function ratio (stages: readonly Stage[], evidenceOf: (stage: Stage) => Evidence | undefined): number | undefined {
  let [took, weight] = [0, 0]
  for (const stage of stages) {
    const evidence = evidenceOf(stage)
    took += evidence?.ms ?? 0
    weight += stage.weight * (evidence?.share ?? 0)
  }
  return weight > 0 && took > 0 ? took / weight : undefined
}

/** So much of a stage took so long. */
interface Evidence {
  readonly ms: number
  readonly share: number
}

class Stage {
  readonly weight: number
  #state: 'pending' | 'running' | 'completed' = 'pending'
  #typical: TypicalDuration | undefined
  #items: number | undefined
  #startedAt = 0
  #reportedAt = 0
  #fraction = 0
  #took: number | undefined
  #lately = new Reports(SHORT_MEMORY)
  #inAll = new Reports(LONG_MEMORY)

  constructor ({ weight, items }: StagePlan) {
    this.weight = weight
    this.#items = items
  }

  get state (): 'pending' | 'running' | 'completed' {
    return this.#state
  }

  /** By its items, where their number is known, and how long each usually takes. */
  get usualMs (): number | undefined {
    if (this.#typical === undefined) return undefined
    const { ms, msPerItem } = this.#typical
    const usual = msPerItem !== undefined && this.#items !== undefined ? msPerItem * this.#items : ms
    return usual >= 0 && usual < Infinity ? usual : undefined
  }

  /** What was measured, if it is enough to go by. */
  get evidence (): Evidence | undefined {
    if (this.#took !== undefined) return { ms: this.#took, share: 1 }
    return this.#isMeasured ? { ms: this.#reportedAt - this.#startedAt, share: this.#fraction } : undefined
  }

  learn (typical: TypicalDuration | undefined): void {
    this.#typical = typical ?? this.#typical
  }

  expect (items: number): void {
    this.#items = items
  }

  start (now: number): void {
    this.#state = 'running'
    this.#startedAt = this.#reportedAt = now
    this.#took = undefined
    this.#fraction = 0
    this.#lately = new Reports(SHORT_MEMORY)
    this.#inAll = new Reports(LONG_MEMORY)
  }

  progress (fraction: number, now: number): void {
    const reached = Math.min(1, fraction)
    const gained = reached - this.#fraction
    if (this.#state !== 'running' || !(gained > 0)) return
    const gap = Math.max(0, now - this.#reportedAt)
    this.#lately.add(gained, gap)
    this.#inAll.add(gained, gap)
    this.#fraction = reached
    this.#reportedAt += gap
  }

  complete (now: number): void {
    if (this.#state === 'running') this.#took = Math.max(0, now - this.#startedAt)
    this.#state = 'completed'
  }

  /**
   * While it runs.
   * @param expected how long it takes in all, as far as that can be told without what was measured of it.
   */
  remaining (now: number, expected: number | undefined): number | undefined {
    if (expected === undefined && !this.#isMeasured) return undefined
    const usual = expected ?? 0
    const trust = expected === undefined ? 0 : TRUST * Math.exp(-this.#fraction / TRUST_MEMORY)
    const { gained, gaps, gapsSquared } = this.#inAll
    const share = gained + trust
    const pace = (gained * this.#pace + trust * usual) / share
    const left = 1 - this.#fraction
    // Known beforehand is a report of all of it, since nobody has promised others.
    const usualGap = pace > 0 ? (gapsSquared + trust * usual ** 2) / (gaps + trust * usual) : 0
    const gap = Math.min(pace * left, usualGap)
    const waited = Math.max(0, now - this.#reportedAt)
    const untilReport = restOf(gap, waited)
    const afterReport = pace > 0 ? left - gap / pace : 0
    const late = waited + untilReport - gap
    return untilReport + afterReport * (pace + late / (share + left - afterReport))
  }

  /** What was measured. */
  get #pace (): number {
    const [lately, inAll] = [this.#lately, this.#inAll]
    if (inAll.gaps === 0) return 0
    const change = lately.pace / inAll.pace - 1
    const doubtful = DOUBT * inAll.variance / (2 * SHORT_MEMORY)
    return change ** 2 > doubtful ? inAll.pace * (1 + change - doubtful / change) : inAll.pace
  }

  get #isMeasured (): boolean {
    return this.#inAll.gaps > 0 && this.#fraction >= Math.min(LEAST_SHARE, LEAST_REPORTS * this.#inAll.typicalGain)
  }
}

/** How long a report is still to be waited for that usually takes so long, and was waited for so long already. */
function restOf (gap: number, waited: number): number {
  const due = (1 - LEAST_REST) * gap
  return waited < due ? gap - waited : LEAST_REST * gap + GROWTH * (waited - due)
}
