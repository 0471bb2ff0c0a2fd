import { cpus, release } from 'node:os'
import { BenchRedis } from './redis.js'
import type { Scenario } from './scenarios.js'
import { oldDesign, thisService } from './server.js'
import type { Trial } from './trial.js'

/** On what the numbers were measured. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly node: string
  readonly kernel: string
  readonly redis: string
}

interface Column {
  readonly head: string
  readonly value: (trial: Trial) => number
  readonly digits: number
  /** Whether how many times more the old design has of it says something. */
  readonly compared?: boolean
}

const columns: readonly Column[] = [
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

export function machine (): Machine {
  const [cpu] = cpus()
  return { cpu: cpu?.model.trim() ?? 'unknown', cores: cpus().length, node: process.version, kernel: release(), redis: BenchRedis.version() }
}

/** The results as Markdown: the machine, one table, and what must be known to read it. */
export function markdown ({ cpu, cores, node, kernel, redis }: Machine, scenarios: readonly Scenario[], trials: readonly Trial[]): string {
  const rows = scenarios.flatMap(({ name }) => {
    const own = trials.filter(({ scenario }) => scenario === name)
    return [...own.map(row), ...comparison(own)]
  })
  const notes = trials.flatMap(({ scenario, design, notes }) => notes.map((note) => `- ${scenario}, ${design}: ${note}.`))
  return [
    `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, Redis ${redis}; server, Redis, publisher and clients share the machine.`,
    '',
    ...scenarios.map(({ name, says }) => `- \`${name}\`: ${says}`),
    '',
    line(['scenario', 'design', ...columns.map(({ head }) => head)]),
    line(['---', '---', ...columns.map(() => '---:')]),
    ...rows,
    ...notes.length > 0 ? ['', ...notes] : [],
    '',
  ].join('\n')
}

function row (trial: Trial): string {
  return line([trial.scenario, trial.design, ...columns.map(({ value, digits }) => shown(value(trial), digits))])
}

function comparison (trials: readonly Trial[]): string[] {
  const ours = trials.find(({ design }) => design === thisService.name)
  const old = trials.find(({ design }) => design === oldDesign.name)
  if (ours === undefined || old === undefined) return []
  return [line(['', 'old ÷ this', ...columns.map(({ value, compared }) => compared === true ? ratio(value(old) / value(ours)) : '')])]
}

const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
const ratio = (value: number) => Number.isFinite(value) ? `× ${value.toLocaleString('en-US', { maximumSignificantDigits: 2 })}` : ''
const shown = (value: number, digits: number) =>
  Number.isFinite(value) ? value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits }) : '–'
