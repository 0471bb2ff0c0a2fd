import { micros } from './clock.js'
import { cpuTimeOf, cpuTimeOfAll, type CpuTime } from './proc.js'

/** Processor time by process, of one core's (0–1); `others` have nothing to do with the benchmark. */
export type Shares<Name extends string> = Readonly<Record<Name | 'others', number>>

/** Of a core; where others took more of it than this, a number may be theirs. */
const MUCH = 0.2

/** The processor time that some processes use from now on. */
export class Spending<Name extends string> {
  readonly #pids: Readonly<Record<Name, number>>
  readonly #began: CpuTimes<Name>

  /** @param pids all processes of the benchmark but this one. */
  constructor (pids: Readonly<Record<Name, number>>) {
    this.#pids = pids
    this.#began = read(pids)
  }

  /** What was used up to now: by process, in microseconds, and of one core's time. */
  spent (): { readonly times: Readonly<Record<Name, CpuTime>>, readonly shares: Shares<Name> } {
    const [began, ended] = [this.#began, read(this.#pids)]
    const since = (name: Name | 'bench') => ({ user: ended.by[name].user - began.by[name].user, system: ended.by[name].system - began.by[name].system })
    const share = (time: number) => time / (ended.at - began.at)
    const shareOf = (name: Name | 'bench') => share(since(name).user + since(name).system)
    const names = Object.keys(this.#pids) as Name[]
    const shares = Object.fromEntries(names.map((name) => [name, shareOf(name)]))
    const own = names.reduce((sum, name) => sum + shareOf(name), shareOf('bench'))
    return {
      times: Object.fromEntries(names.map((name) => [name, since(name)])) as Record<Name, CpuTime>,
      shares: { ...shares, others: share(ended.all - began.all) - own } as Shares<Name>,
    }
  }
}

/** Says so, where something else than the benchmark was busy. */
export function remarkOnOthers ({ others }: { readonly others: number }): string | false {
  return others > MUCH && `other processes, or other machines on the same hardware, took ${percent(others)} of a core`
}

export const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`

interface CpuTimes<Name extends string> {
  /** By `micros()`. */
  readonly at: number
  readonly all: number
  readonly by: Readonly<Record<Name | 'bench', CpuTime>>
}

function read<Name extends string> (pids: Readonly<Record<Name, number>>): CpuTimes<Name> {
  const by = Object.fromEntries(Object.entries<number>({ ...pids, bench: process.pid }).map(([name, pid]) => [name, cpuTimeOf(pid)]))
  return { at: micros(), all: cpuTimeOfAll(), by: by as Record<Name | 'bench', CpuTime> }
}
