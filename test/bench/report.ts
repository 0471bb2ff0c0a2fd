import { cpus, release } from 'node:os'
import { BenchRedis } from './redis.js'
import type { Scenario } from './scenarios.js'
import { oldDesign, thisService } from './server.js'
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

export type Trial = LoadTrial | StormTrial | SlowTrial

const loadColumns: ReadonlyArray<Column<LoadTrial>> = [
  { head: 'clients', value: ({ clients }) => clients, digits: 0 },
  { head: 'expected', value: ({ expected }) => expected, digits: 0 },
  { head: 'delivered', value: ({ delivered }) => delivered, digits: 0 },
  { head: 'lost', value: ({ lost }) => lost, digits: 0 },
  { head: 'deliveries/s', value: ({ deliveriesPerSecond }) => deliveriesPerSecond, digits: 0, compared: true },
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

export function machine (): Machine {
  const [cpu] = cpus()
  return { cpu: cpu?.model.trim() ?? 'unknown', cores: cpus().length, node: process.version, kernel: release(), redis: BenchRedis.version() }
}

/** The results as Markdown: the machine, a table of each kind, and what must be known to read them. */
export function markdown ({ cpu, cores, node, kernel, redis }: Machine, scenarios: readonly Scenario[], trials: readonly Trial[]): string {
  const notes = trials.flatMap((trial) => trial.notes.map((note) => `- ${trial.scenario}, ${subjectOf(trial)}: ${note}.`))
  return [
    `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, Redis ${redis}; server, Redis, publisher and clients share the machine.`,
    '',
    ...scenarios.map(({ name, says }) => `- \`${name}\`: ${says}`),
    ...[loads(trials), storms(trials), obstructions(trials)].flatMap((table) => table === undefined ? [] : ['', ...table.lines]),
    ...notes.length > 0 ? ['', ...notes] : [],
    '',
  ].join('\n')
}

/** What was measured, within a scenario. */
export function subjectOf (trial: Trial): string {
  switch (trial.kind) {
    case 'load': return trial.design
    case 'storm': return `${trial.storm} time`
    case 'slow': return trial.slow === 0 ? `${count(trial.fast)} fast` : `${count(trial.fast)} fast, ${count(trial.slow)} slow`
  }
}

const count = (value: number) => value.toLocaleString('en-US')

function loads (all: readonly Trial[]): Table<LoadTrial> | undefined {
  const trials = all.filter((trial) => trial.kind === 'load')
  if (trials.length === 0) return undefined
  const table = new Table(['scenario', 'design'], loadColumns)
  for (const name of new Set(trials.map(({ scenario }) => scenario))) {
    const own = trials.filter(({ scenario }) => scenario === name)
    for (const trial of own) table.add([name, trial.design], trial)
    const [ours, old] = [thisService, oldDesign].map(({ name }) => own.find(({ design }) => design === name))
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
