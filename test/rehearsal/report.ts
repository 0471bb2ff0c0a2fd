import { percentile } from '../bench/percentile.js'
import { Table } from '../bench/table.js'
import type { Account } from '../chaos/audit.js'
import type { Diary } from './diary.js'
import type { Lap } from './stopwatch.js'

/** No client may wait for longer, for a stream or for an event, in milliseconds. */
const LONGEST_WAIT_MS = 5_000

/** Lines of nginx that are shown. */
const WRONG_SHOWN = 5

/** What came of it all. */
export interface Outcome {
  readonly laps: readonly Lap[]
  readonly account: Account
  readonly diary: Diary
  /** What nginx has complained of. */
  readonly wrong: readonly string[]
}

/** What is asked of a rolling update. */
interface Demand {
  readonly what: string
  readonly most: number
  readonly was: number
}

/** Whether all is as it should be. */
export function isGood (outcome: Outcome): boolean {
  const { account: { findings }, diary: { complaints } } = outcome
  return demandsOf(outcome).every(isMet) && findings.length + complaints.length === 0
}

/** Tables of what happened and of what is asked, and what should not have happened. */
export function report (outcome: Outcome): string {
  const { laps, account, diary: { complaints }, wrong } = outcome
  const total: Lap = { ...totalOf(laps), what: 'all' }
  const times = new Table<Lap>(['phase'], [
    { head: 'seconds', value: ({ seconds }) => seconds, digits: 0 },
    { head: 'streams moved', value: ({ absences }) => absences.length, digits: 0 },
    { head: 'without a stream, s: p50', value: ({ absences }) => secondsAt(absences, 0.5), digits: 2 },
    { head: 'p99', value: ({ absences }) => secondsAt(absences, 0.99), digits: 2 },
    { head: 'max', value: ({ absences }) => secondsAt(absences, 1), digits: 2 },
    { head: 'longest wait for an event, s', value: ({ longestDelay }) => longestDelay / 1_000, digits: 2 },
  ])
  for (const lap of [...laps, total]) times.add([lap.what], lap)
  const demands = new Table<Demand>(['', ''], [
    { head: 'at most', value: ({ most }) => most, digits: 0 },
    { head: 'was', value: ({ was }) => was, digits: 0 },
  ])
  for (const demand of demandsOf(outcome)) demands.add([isMet(demand) ? 'ok' : 'NOT OK', demand.what], demand)
  return [
    ...times.lines,
    '',
    `${account.published} events published, ${account.expected} deliveries expected, ${account.received} received.`,
    '',
    ...demands.lines,
    '',
    ...[...complaints, ...account.findings, ...wrong.slice(0, WRONG_SHOWN)].map((line) => `- ${line}`),
    ...wrong.length > WRONG_SHOWN ? [`- and ${wrong.length - WRONG_SHOWN} more lines of nginx`] : [],
    '',
  ].join('\n')
}

function demandsOf ({ laps, account, diary }: Outcome): Demand[] {
  const { absences, cutOff, longestDelay } = totalOf(laps)
  return [
    { what: 'deliveries lost', most: 0, was: account.lost },
    { what: 'doubled', most: 0, was: account.doubled },
    { what: 'out of order', most: 0, was: account.late },
    { what: 'gap events', most: 0, was: account.gaps },
    { what: 'streams that ended without a close event', most: 0, was: cutOff },
    { what: 'longest time of a client without a stream, ms', most: LONGEST_WAIT_MS, was: Math.ceil(absences.at(-1) ?? 0) },
    { what: 'longest wait of a client for an event, ms', most: LONGEST_WAIT_MS, was: Math.ceil(longestDelay) },
    { what: 'restarts by the liveness probe', most: 0, was: diary.restarts },
    { what: 'pods that were killed, or ended with another code than 0', most: 0, was: diary.badEnds },
  ]
}

const isMet = ({ most, was }: Demand) => was <= most

const secondsAt = (absences: readonly number[], share: number) => (percentile(absences, share) ?? NaN) / 1_000

function totalOf (laps: readonly Lap[]): Omit<Lap, 'what'> {
  return {
    seconds: laps.reduce((sum, { seconds }) => sum + seconds, 0),
    absences: laps.flatMap(({ absences }) => absences).sort((a, b) => a - b),
    cutOff: laps.reduce((sum, { cutOff }) => sum + cutOff, 0),
    longestDelay: Math.max(...laps.map(({ longestDelay }) => longestDelay)),
  }
}
