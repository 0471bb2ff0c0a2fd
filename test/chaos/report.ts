import { Table } from '../bench/table.js'
import type { Sums } from './audit.js'
import { faults } from './faults.js'
import type { Phase } from './phase.js'

interface Row extends Sums {
  readonly times: number
  readonly seconds: number
}

/** The sums of the ledgers by fault, what instances counted, and what broke a rule. */
export function report (phases: readonly Phase[], counters: ReadonlyMap<string, number>): string {
  const table = new Table<Row>(['fault', 'clients are owed'], [
    { head: 'times', value: ({ times }) => times, digits: 0 },
    { head: 'seconds', value: ({ seconds }) => seconds, digits: 0 },
    { head: 'published', value: ({ published }) => published, digits: 0 },
    { head: 'maybe published', value: ({ unknown }) => unknown, digits: 0 },
    { head: 'expected', value: ({ expected }) => expected, digits: 0 },
    { head: 'received', value: ({ received }) => received, digits: 0 },
    { head: 'lost', value: ({ lost }) => lost, digits: 0 },
    { head: 'in a gap', value: ({ told }) => told, digits: 0 },
    { head: 'in silence', value: ({ silent }) => silent, digits: 0 },
    { head: 'doubled', value: ({ doubled }) => doubled, digits: 0 },
    { head: 'out of order', value: ({ late }) => late, digits: 0 },
    { head: 'gaps', value: ({ gaps }) => gaps, digits: 0 },
    { head: 'clients told', value: ({ clientsTold }) => clientsTold, digits: 0 },
    { head: 'widest gap, s', value: ({ widestMs }) => widestMs / 1_000, digits: 1 },
    { head: 'reconnects', value: ({ drops }) => drops, digits: 0 },
  ])
  for (const { name, owed } of faults) {
    const own = phases.filter(({ fault }) => fault.name === name)
    if (own.length > 0) table.add([name, owed], total(own))
  }
  table.add(['all', ''], total(phases))
  const counted = [...counters].sort().map(([name, value]) => `${name} ${value}`)
  return [
    ...table.lines,
    '',
    ...counted.length > 0 ? counted : ['No instance counts resumes or gaps.'],
    '',
    ...phases.flatMap(({ fault, findings }, i) => findings.map((finding) => `${i + 1}, ${fault.name}: ${finding}`)),
    '',
  ].join('\n')
}

function total (phases: readonly Phase[]): Row {
  const sum = (of: (phase: Phase) => number) => phases.reduce((all, phase) => all + of(phase), 0)
  return {
    times: phases.length,
    seconds: sum(({ seconds }) => seconds),
    published: sum(({ published }) => published),
    unknown: sum(({ unknown }) => unknown),
    expected: sum(({ expected }) => expected),
    received: sum(({ received }) => received),
    lost: sum(({ lost }) => lost),
    told: sum(({ told }) => told),
    silent: sum(({ silent }) => silent),
    doubled: sum(({ doubled }) => doubled),
    late: sum(({ late }) => late),
    gaps: sum(({ gaps }) => gaps),
    clientsTold: sum(({ clientsTold }) => clientsTold),
    drops: sum(({ drops }) => drops),
    widestMs: Math.max(0, ...phases.map(({ widestMs }) => widestMs)),
  }
}
