import { cpus, release } from 'node:os'
import { compare, type Comparison } from './comparison.js'
import type { EtaTrial } from './eta-trial.js'
import { medianOf } from './median.js'
import type { CpuTime } from './proc.js'
import { BenchRedis } from './redis.js'
import type { Scenario } from './scenarios.js'
import { historyOff, oldDesign, thisService, type Design } from './server.js'
import type { RememberTrial } from './remember-trial.js'
import type { SlowTrial } from './slow-trial.js'
import type { StormTrial } from './storm-trial.js'
import { Table, type Column } from './table.js'
import type { LoadTrial } from './trial.js'

/** On what the numbers were measured. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly node: string
  readonly kernel: string
  readonly redis: string
}

export type Trial = LoadTrial | StormTrial | SlowTrial | RememberTrial | EtaTrial

/** History may cost a scenario a tenth of what it delivers per second of processor time, and a message that nobody here listens to so many microseconds. */
const LEAST_RATIO = 0.9
const MOST_MICROS = 2

const loadColumns: ReadonlyArray<Column<LoadTrial>> = [
  { head: 'clients', value: ({ clients }) => clients, digits: 0 },
  { head: 'expected', value: ({ expected }) => expected, digits: 0 },
  { head: 'delivered', value: ({ delivered }) => delivered, digits: 0 },
  { head: 'lost', value: ({ lost }) => lost, digits: 0 },
  { head: 'deliveries/s', value: ({ deliveriesPerSecond }) => deliveriesPerSecond, digits: 0, compared: true },
  { head: 'deliveries/CPU s', value: ({ expected, deliveriesPerCpuSecond }) => expected > 0 ? deliveriesPerCpuSecond : NaN, digits: 0, compared: true },
  { head: 'p50 ms', value: ({ latencyMs }) => latencyMs.p50, digits: 1, compared: true },
  { head: 'p99 ms', value: ({ latencyMs }) => latencyMs.p99, digits: 1, compared: true },
  { head: 'p99.9 ms', value: ({ latencyMs }) => latencyMs.p999, digits: 1, compared: true },
  { head: 'user µs/delivery', value: ({ cpuPerDelivery }) => cpuPerDelivery.user, digits: 2, compared: true },
  { head: 'system µs/delivery', value: ({ cpuPerDelivery }) => cpuPerDelivery.system, digits: 2, compared: true },
  { head: 'server CPU %', value: ({ shares }) => shares.server * 100, digits: 1, compared: true },
  { head: 'Redis CPU %', value: ({ shares }) => shares.redis * 100, digits: 1, compared: true },
  { head: 'KB/connection', value: ({ rssPerConnection }) => (rssPerConnection ?? NaN) / 1_024, digits: 1, compared: true },
]

const stormColumns: ReadonlyArray<Column<StormTrial>> = [
  { head: 'clients', value: ({ clients }) => clients, digits: 0 },
  { head: 'greeted', value: ({ greeted }) => greeted, digits: 0 },
  { head: 'openings/s', value: ({ openingsPerSecond }) => openingsPerSecond, digits: 0 },
  { head: 'p50 ms', value: ({ greetingMs }) => greetingMs.p50, digits: 0 },
  { head: 'p99 ms', value: ({ greetingMs }) => greetingMs.p99, digits: 0 },
  { head: 'max ms', value: ({ greetingMs }) => greetingMs.max, digits: 0 },
  { head: 'user µs/opening', value: ({ cpuPerOpening }) => cpuPerOpening.user, digits: 0 },
  { head: 'system µs/opening', value: ({ cpuPerOpening }) => cpuPerOpening.system, digits: 0 },
  { head: 'server CPU %', value: ({ shares }) => shares.server * 100, digits: 0 },
]

const slowColumns: ReadonlyArray<Column<SlowTrial>> = [
  { head: 'expected', value: ({ expected }) => expected, digits: 0 },
  { head: 'lost', value: ({ lost }) => lost, digits: 0 },
  { head: 'p50 ms', value: ({ latencyMs }) => latencyMs.p50, digits: 1, compared: true },
  { head: 'p99 ms', value: ({ latencyMs }) => latencyMs.p99, digits: 1, compared: true },
  { head: 'p99.9 ms', value: ({ latencyMs }) => latencyMs.p999, digits: 1, compared: true },
  { head: 'server CPU %', value: ({ shares }) => shares.server * 100, digits: 1, compared: true },
  { head: 'RSS at start, MB', value: ({ rss }) => rss.start / 1e6, digits: 0, compared: true },
  { head: 'peak', value: ({ rss }) => rss.peak / 1e6, digits: 0, compared: true },
  { head: 'at end', value: ({ rss }) => rss.end / 1e6, digits: 0, compared: true },
  { head: 'owed at peak, MB', value: ({ bufferedPeak }) => bufferedPeak / 1e6, digits: 2 },
  { head: 'conflated', value: ({ conflated }) => conflated, digits: 0 },
  { head: 'cut off', value: ({ cutOff }) => cutOff, digits: 0 },
  { head: 'completions due to the slow', value: ({ caughtUp }) => caughtUp?.completionsDue ?? NaN, digits: 0 },
  { head: 'got', value: ({ caughtUp }) => caughtUp?.completions ?? NaN, digits: 0 },
]

const rememberColumns: ReadonlyArray<Column<RememberTrial>> = [
  { head: 'messages', value: ({ expected }) => expected, digits: 0 },
  { head: 'received', value: ({ received }) => received, digits: 0 },
  { head: 'messages/s', value: ({ messagesPerSecond }) => messagesPerSecond, digits: 0 },
  { head: 'user µs/message', value: ({ cpuPerMessage }) => cpuPerMessage.user, digits: 2, compared: true },
  { head: 'system µs/message', value: ({ cpuPerMessage }) => cpuPerMessage.system, digits: 2, compared: true },
  { head: 'µs/message', value: ({ cpuPerMessage }) => sum(cpuPerMessage), digits: 2, compared: true },
  { head: 'server CPU %', value: ({ shares }) => (shares?.server ?? NaN) * 100, digits: 1, compared: true },
  { head: 'Redis CPU %', value: ({ shares }) => (shares?.redis ?? NaN) * 100, digits: 1 },
  { head: 'publisher CPU %', value: ({ shares }) => (shares?.publisher ?? NaN) * 100, digits: 1 },
  { head: 'events held', value: ({ held }) => held?.events ?? NaN, digits: 0 },
  { head: 'held, MB', value: ({ held }) => (held?.bytes ?? NaN) / 1e6, digits: 1 },
  { head: 'RSS, MB', value: ({ rss }) => rss / 1e6, digits: 0, compared: true },
]

const etaColumns: ReadonlyArray<Column<EtaTrial>> = [
  { head: 'runs', value: ({ count }) => count, digits: 0 },
  { head: 'first said at %', value: ({ first }) => first.after * 100, digits: 1 },
  { head: 'off by %', value: ({ first }) => first.error * 100, digits: 0 },
  { head: 'error at 25 %', value: ({ errors }) => errors[0] * 100, digits: 0 },
  { head: 'at 50 %', value: ({ errors }) => errors[1] * 100, digits: 0 },
  { head: 'at 75 %', value: ({ errors }) => errors[2] * 100, digits: 0 },
  { head: 'worst after half', value: ({ worst }) => worst * 100, digits: 0 },
  { head: 'within a fifth, % of the second half', value: ({ within }) => within * 100, digits: 0 },
  { head: 'claimed', value: ({ claim }) => (claim ?? NaN) * 100, digits: 0 },
  { head: 'by the average', value: ({ withinByAverage }) => withinByAverage * 100, digits: 0 },
  { head: 'by who knows all but chance', value: ({ withinByExpectation }) => (withinByExpectation ?? NaN) * 100, digits: 0 },
]

export function machine (): Machine {
  const [cpu] = cpus()
  return { cpu: cpu?.model.trim() ?? 'unknown', cores: cpus().length, node: process.version, kernel: release(), redis: BenchRedis.version() }
}

/** The results as Markdown: the machine, a table of each kind, and what must be known to read them. */
export function markdown ({ cpu, cores, node, kernel, redis }: Machine, scenarios: readonly Scenario[], trials: readonly Trial[]): string {
  const notes = new Set([
    ...trials.flatMap((trial) => trial.notes.map((note) => `- ${trial.scenario}, ${subjectOf(trial)}: ${note}.`)),
    ...comparisons(trials).map((comparison) => `- ${told(comparison)}.`),
  ])
  return [
    `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, Redis ${redis}; server, Redis, publisher and clients share the machine.`,
    '',
    ...scenarios.map(({ name, says }) => `- \`${name}\`: ${says}`),
    ...[loads(trials), storms(trials), obstructions(trials), memories(trials), forecasts(trials)].flatMap((table) => table === undefined ? [] : ['', ...table.lines]),
    ...notes.size > 0 ? ['', ...notes] : [],
    '',
  ].join('\n')
}

/** What was measured, within a scenario. */
export function subjectOf (trial: Trial): string {
  switch (trial.kind) {
    case 'load': return trial.design
    case 'storm': return `${trial.storm} time`
    case 'eta': return trial.runs
    case 'remember': return `${trial.way}, ${trial.history ? thisService.name : historyOff.name}`
    case 'slow': return trial.slow === 0 ? `${count(trial.fast)} fast` : `${count(trial.fast)} fast, ${count(trial.slow)} slow`
  }
}

/** What history costs, in each scenario that was run with it and without. */
export function comparisons (trials: readonly Trial[]): Comparison[] {
  const loads = trials.filter((trial) => trial.kind === 'load')
  const memories = trials.filter((trial) => trial.kind === 'remember')
  return [
    ...scenariosOf(loads).map((scenario) => compare(
      runsOf(loads, scenario, thisService), runsOf(loads, scenario, historyOff),
      { scenario, of: RATIO, value: (on, off) => on.deliveriesPerCpuSecond / off.deliveriesPerCpuSecond, isTooMuch: (median) => median < LEAST_RATIO },
    )),
    ...waysOf(memories).map((way) => compare(
      memories.filter((trial) => trial.way === way && trial.history), memories.filter((trial) => trial.way === way && !trial.history),
      { scenario: `remember, ${way}`, of: DIFFERENCE, value: (on, off) => sum(on.cpuPerMessage) - sum(off.cpuPerMessage), isTooMuch: (median) => median > MOST_MICROS },
    )),
  ].filter((comparison) => comparison !== undefined)
}

const count = (value: number) => value.toLocaleString('en-US')

function loads (all: readonly Trial[]): Table<LoadTrial> | undefined {
  const trials = all.filter((trial) => trial.kind === 'load')
  if (trials.length === 0) return undefined
  const table = new Table(['scenario', 'design'], loadColumns)
  for (const scenario of scenariosOf(trials)) {
    const [ours, off, old] = [thisService, historyOff, oldDesign].map((design) => {
      // Under the same load, who uses the processor less delivers more for it; and idle, there is nothing else to go by.
      const median = medianOf(runsOf(trials, scenario, design), ({ shares }) => shares.server)
      if (median !== undefined) table.add([scenario, design.name], median)
      return median
    })
    if (ours !== undefined && off !== undefined) table.addRatio(['', 'on ÷ off'], ours, off)
    if (ours !== undefined && old !== undefined) table.addRatio(['', 'old ÷ this'], old, ours)
  }
  return table
}

function storms (all: readonly Trial[]): Table<StormTrial> | undefined {
  const trials = all.filter((trial) => trial.kind === 'storm')
  if (trials.length === 0) return undefined
  const table = new Table(['scenario', ''], stormColumns)
  for (const trial of trials) table.add([trial.scenario, subjectOf(trial)], trial)
  return table
}

function obstructions (all: readonly Trial[]): Table<SlowTrial> | undefined {
  const trials = all.filter((trial) => trial.kind === 'slow')
  const [without, withSlow] = trials
  if (without === undefined || withSlow === undefined) return undefined
  const table = new Table(['scenario', 'clients'], slowColumns)
  for (const trial of trials) table.add([trial.scenario, subjectOf(trial)], trial)
  table.addRatio(['', 'with slow ÷ without'], withSlow, without)
  return table
}

function memories (all: readonly Trial[]): Table<RememberTrial> | undefined {
  const trials = all.filter((trial) => trial.kind === 'remember')
  if (trials.length === 0) return undefined
  const table = new Table(['scenario', 'design'], rememberColumns)
  for (const way of waysOf(trials)) {
    const [on, off] = [true, false].map((history) => {
      const median = medianOf(trials.filter((trial) => trial.way === way && trial.history === history), ({ cpuPerMessage }) => sum(cpuPerMessage))
      if (median !== undefined) table.add([median.scenario, subjectOf(median)], median)
      return median
    })
    if (on !== undefined && off !== undefined) table.addDifference(['', 'on − off'], on, off)
  }
  return table
}

function forecasts (all: readonly Trial[]): Table<EtaTrial> | undefined {
  const trials = all.filter((trial) => trial.kind === 'eta')
  if (trials.length === 0) return undefined
  const table = new Table(['scenario', ''], etaColumns)
  for (const trial of trials) table.add([trial.scenario, subjectOf(trial)], trial)
  return table
}

const RATIO = 'deliveries/CPU s, on ÷ off'
const DIFFERENCE = 'µs/message, on − off'

function told ({ scenario, of, values, median, tooMuch }: Comparison): string {
  const [least, most] = [values.at(0)!, values.at(-1)!].map((value) => value.toFixed(2))
  const range = values.length === 1 ? 'by one pair of runs (--pairs makes more)' : `the median of ${values.length} pairs of runs, which gave ${least} to ${most}`
  return `${scenario}: ${of}: ${median.toFixed(2)}, ${range}${tooMuch ? '; history costs more than it may' : ''}`
}

const sum = ({ user, system }: CpuTime) => user + system
const scenariosOf = (trials: readonly LoadTrial[]) => [...new Set(trials.map(({ scenario }) => scenario))]
const waysOf = (trials: readonly RememberTrial[]) => [...new Set(trials.map(({ way }) => way))]
const runsOf = (trials: readonly LoadTrial[], scenario: string, { name }: Design) => trials.filter((trial) => trial.scenario === scenario && trial.design === name)
