import type { Lane } from './lane.js'
import { time, type Gap, type Ledger, type Misplaced } from './ledger.js'

/**
 * What clients are owed. `all`: each event once and in order, and no gap. `all or a gap`: that, but for events that were
 * published within a gap that the client was told of, which is one of Redis's.
 */
export type Owed = 'all' | 'all or a gap'

/** How many events of each lane were published at some moment, pending ones included. */
export type Marks = ReadonlyMap<Lane, number>

/** The sums of all clients' ledgers over some time. */
export interface Sums {
  /** Acknowledged events. */
  published: number
  /** Events of which the publisher does not know whether they were published. */
  unknown: number
  /** Deliveries of acknowledged events. */
  expected: number
  received: number
  lost: number
  /** Of the lost, those that lie in a gap that the client was told of. */
  told: number
  silent: number
  doubled: number
  late: number
  gaps: number
  clientsTold: number
  /** Connections that clients lost. */
  drops: number
  /** The widest gap, in milliseconds. */
  widestMs: number
}

export interface Account extends Sums {
  /** What broke a rule: a line each, and those that say more about it. */
  readonly findings: readonly string[]
}

/** Findings that are shown, of them those of one client, and of what else is known of it the last lines. */
const SHOWN = 40
const SHOWN_OF_ONE = 6
const JOURNAL_SHOWN = 12

/**
 * Compares what was published from one moment to another with what came, and has each ledger begin anew. By then all
 * outcomes are known, and each client has got something that was published later, by each publisher.
 */
export function audit (ledgers: readonly Ledger[], from: Marks, to: Marks, owed: Owed): Account {
  const sums: Sums = { published: 0, unknown: 0, expected: 0, received: 0, lost: 0, told: 0, silent: 0, doubled: 0, late: 0, gaps: 0, clientsTold: 0, drops: 0, widestMs: 0 }
  const findings = new Findings()
  for (const [lane, end] of to) {
    for (let number = from.get(lane)!; number < end; number++) sums[lane.outcomeOf(number) === 'published' ? 'published' : 'unknown']++
  }
  for (const ledger of ledgers) {
    const missing: Missing[] = []
    for (const lane of ledger.lanes) {
      for (let number = from.get(lane)!; number < to.get(lane)!; number++) {
        if (lane.outcomeOf(number) !== 'published') continue
        sums.expected++
        if (ledger.has(lane, number)) sums.received++
        else missing.push({ lane, number, told: ledger.gaps.some((gap) => covers(gap, lane.timeOf(number))) })
      }
    }
    const silent = missing.filter(({ told }) => !told)
    sums.lost += missing.length
    sums.told += missing.length - silent.length
    sums.silent += silent.length
    const faults = runsOf(owed === 'all' ? missing : silent).map((run) => described(run, ledger))

    const { doubled, late, gaps, complaints, journal, drops } = ledger.rule()
    const wronglyLate = late.filter((event) => owed === 'all' || !mayBeLate(event))
    sums.doubled += doubled.length
    sums.late += wronglyLate.length
    sums.gaps += gaps.length
    if (gaps.length > 0) sums.clientsTold++
    sums.drops += drops
    for (const { from, to } of gaps) sums.widestMs = Math.max(sums.widestMs, to - from)
    faults.push(
      ...doubled.map((event) => `got ${misplaced(event)} again`),
      ...wronglyLate.map((event) => `got ${misplaced(event)} out of order`),
      ...gaps.filter(({ reason }) => owed === 'all' || reason !== 'redis_outage').map((gap) => `was told of a gap for no good reason: ${JSON.stringify(gap)}`),
      ...gaps.filter((gap) => !isSound(gap)).map((gap) => `was told of a gap that is none: ${JSON.stringify(gap)}`),
      ...complaints,
    )
    findings.add(ledger.client, faults, journal)
  }
  return { ...sums, findings: findings.lines }
}

interface Missing {
  readonly lane: Lane
  readonly number: number
  readonly told: boolean
}

const covers = ({ from, to }: Gap, ms: number) => from <= ms && ms <= to
const isSound = ({ from, to }: Gap) => Number.isFinite(from) && Number.isFinite(to) && from <= to

/** Of an event that nobody acknowledged, nobody knows when it reached Redis. */
const mayBeLate = ({ lane, number }: Misplaced) => lane.overtakes && lane.outcomeOf(number) === 'unknown'

const misplaced = ({ lane, number, after, id }: Misplaced) =>
  `${lane.publisher} ${number} (published ${time(lane.timeOf(number))}, ${lane.outcomeOf(number)}, id ${id}) after ${after}`

/** Those of one lane that follow one another. */
function runsOf (missing: readonly Missing[]): Missing[][] {
  const runs: Missing[][] = []
  for (const each of missing) {
    const run = runs.at(-1)
    const last = run?.at(-1)
    if (run !== undefined && last?.lane === each.lane && each.number === last.number + 1) run.push(each)
    else runs.push([each])
  }
  return runs
}

function described (run: readonly Missing[], ledger: Ledger): string {
  const [{ lane, number: first, told }, last] = [run[0]!, run.at(-1)!.number]
  const numbers = first === last ? `${first}` : `${first}–${last}`
  const id = (number: number) => ledger.idOf(lane, number) ?? '(not had lately)'
  return `lost ${lane.publisher} ${numbers}, published ${time(lane.timeOf(first))}–${time(lane.timeOf(last))}, ${told ? 'within a gap' : 'in silence'}; id of ${first - 1}: ${id(first - 1)}, of ${last + 1}: ${id(last + 1)}`
}

/** Lines of what is wrong, with what is known of the clients that it went wrong for; so many that they can be read. */
class Findings {
  readonly #shown: string[] = []
  #told = 0
  #held = 0

  get lines (): string[] {
    return this.#held === 0 ? this.#shown : [...this.#shown, `and ${this.#held} more`]
  }

  add (client: string, faults: readonly string[], journal: readonly string[]): void {
    const shown = faults.slice(0, Math.max(0, Math.min(SHOWN_OF_ONE, SHOWN - this.#told)))
    this.#held += faults.length - shown.length
    this.#told += shown.length
    this.#shown.push(...shown.map((fault) => `${client} ${fault}`))
    if (shown.length > 0) this.#shown.push(...journal.slice(-JOURNAL_SHOWN).map((line) => `    ${client} at ${line}`))
  }
}
