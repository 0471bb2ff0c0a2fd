/*
 * How long a workflow's stages took before. `Eta` starts from it, and a workflow that was completed adds to it. Kept are
 * the last runs themselves, not a running average: by their median, one run that hung does not spoil what is said of the
 * next ones, and runs that finish at the same time in different processes cannot spoil a sum.
 */

/** So many runs of a stage are kept. By simulation, the median of 31 foretells the next run by a thirtieth better. */
const RUNS = 15
/** {@link MemoryDurations} keeps so many stages, those that were recorded last. */
const STAGES = 1_000
/** {@link RedisDurations} forgets a stage that has not been recorded for so long: nobody uses it any more. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1_000
const KEY_PREFIX = 'realtime-fanout:durations:'

/** One finished run of a stage. */
export interface StageRun {
  /** At least 0. */
  readonly ms: number
  /** What it worked through, where that can be counted; more than 0. */
  readonly items?: number
}

/** How long a stage usually takes: medians over its last runs. */
export interface TypicalDuration {
  readonly ms: number
  /** Over the runs that told their items; absent when none did. */
  readonly msPerItem?: number
}

/** Where it is kept how long stages took. A stage's name is any string that is not empty. */
export interface DurationStore {
  /** Stages of which nothing is known are absent. Rejects when the store cannot be asked. */
  recall (stages: readonly string[]): Promise<ReadonlyMap<string, TypicalDuration>>
  /** What is no duration (negative, not finite) is ignored; rejects when the store cannot be reached. */
  record (stage: string, run: StageRun): Promise<void>
}

/** Within this process. Bounded: the stages recorded last stay. */
export class MemoryDurations implements DurationStore {
  readonly #runs = new Map<string, readonly StageRun[]>()

  async recall (stages: readonly string[]): Promise<ReadonlyMap<string, TypicalDuration>> {
    return known(stages.map((stage) => [stage, this.#runs.get(stage) ?? []]))
  }

  async record (stage: string, { ms, items }: StageRun): Promise<void> {
    if (!isDuration(ms)) return
    const runs = [...this.#runs.get(stage) ?? [], { ms, ...(isCount(items) && { items }) }]
    this.#runs.delete(stage) // So that it is the last one.
    this.#runs.set(stage, runs.slice(-RUNS))
    if (this.#runs.size > STAGES) this.#runs.delete(this.#runs.keys().next().value!)
  }
}

/** What {@link RedisDurations} needs of a Redis client; the `Redis` and the `Cluster` of ioredis 5 and 6 are such clients. */
export interface RedisHashClient {
  hmget (key: string, ...fields: string[]): Promise<Array<string | null>>
  hset (key: string, field: string, value: string): Promise<number>
  pexpire (key: string, milliseconds: number): Promise<number>
}

export interface RedisDurationsOptions {
  /** A stage's key is this and its name. */
  readonly keyPrefix?: string
}

/**
 * In Redis, shared by all processes that have the same stages. One hash per stage name, with a field for each of the runs that are kept: `<ms>` or `<ms> <items>`. A new run takes the
 * field of any one of them, so that it needs no counter and no script: many may record at the same time, and each of them
 * replaces one run. What is in the hash and is no run is passed over. A stage that was not recorded for 30 days expires.
 * Commands: HMGET, HSET, PEXPIRE.
 */
export class RedisDurations implements DurationStore {
  readonly #client: RedisHashClient
  readonly #keyPrefix: string

  /** @param client stays the caller's, who connects and closes it. */
  constructor (client: RedisHashClient, { keyPrefix = KEY_PREFIX }: RedisDurationsOptions = {}) {
    this.#client = client
    this.#keyPrefix = keyPrefix
  }

  async recall (stages: readonly string[]): Promise<ReadonlyMap<string, TypicalDuration>> {
    return known(await Promise.all(stages.map(async (stage) => [stage, await this.#runsOf(stage)] as const)))
  }

  async record (stage: string, run: StageRun): Promise<void> {
    if (!isDuration(run.ms)) return
    const key = this.#keyPrefix + stage
    await this.#client.hset(key, FIELDS[Math.floor(Math.random() * RUNS)]!, written(run))
    // Not before HSET has succeeded: a key that is not a hash is somebody else's, and is not to expire.
    await this.#client.pexpire(key, KEPT_MS)
  }

  async #runsOf (stage: string): Promise<StageRun[]> {
    const values = await this.#client.hmget(this.#keyPrefix + stage, ...FIELDS)
    return values.map(read).filter((run) => run !== undefined)
  }
}

const FIELDS = Array.from({ length: RUNS }, (_, field) => String(field))
const RUN = /^(\d{1,15}(?:\.\d{1,3})?)(?: (\d{1,15}(?:\.\d{1,3})?))?$/

function written ({ ms, items }: StageRun): string {
  return isCount(items) ? `${ms.toFixed(3)} ${items.toFixed(3)}` : ms.toFixed(3)
}

function read (value: string | null): StageRun | undefined {
  const [, ms, items] = RUN.exec(value ?? '') ?? []
  if (ms === undefined) return undefined
  return { ms: Number(ms), ...(Number(items) > 0 && { items: Number(items) }) }
}

function known (runs: ReadonlyArray<readonly [stage: string, runs: readonly StageRun[]]>): ReadonlyMap<string, TypicalDuration> {
  return new Map(runs.flatMap(([stage, runs]) => {
    const ms = median(runs.map(({ ms }) => ms))
    if (ms === undefined) return []
    const msPerItem = median(runs.flatMap(({ ms, items }) => items === undefined ? [] : [ms / items]))
    return [[stage, { ms, ...(msPerItem !== undefined && { msPerItem }) }]]
  }))
}

function median (values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined
  const ascending = values.toSorted((a, b) => a - b)
  return (ascending[Math.ceil(ascending.length / 2) - 1]! + ascending[Math.floor(ascending.length / 2)]!) / 2
}

const isDuration = (ms: number) => ms >= 0 && ms < 1e15
const isCount = (items: number | undefined): items is number => items !== undefined && items >= 0.001 && items < 1e15
