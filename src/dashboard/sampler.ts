import { monitorEventLoopDelay, performance, type EventLoopUtilization, type IntervalHistogram } from 'node:perf_hooks'
import type { Snapshot } from '../metrics.js'
import { quantile, since } from './quantile.js'
import { FIELDS, type Field } from './wire.js'

export const EVERY_MS = 1_000
export const KEPT_MS = 15 * 60_000
/** Percentiles are of so many samples: of one second's messages, they would tell little. */
const WINDOW = 10
/** How often it is looked whether the event loop is late, in milliseconds. */
const LAG_RESOLUTION_MS = 20

/** What the service did in one second. What there was nothing to measure of is NaN, which JSON has as null. */
export type Sample = Readonly<Record<Field, number>>

export interface SamplerOptions {
  readonly snapshot: () => Promise<Snapshot>
  /** Whether the broker's subscription stands. */
  readonly standing: () => boolean
}

/** Where things stood at one moment. */
interface Mark {
  /** On the monotonic clock, in milliseconds. */
  readonly at: number
  readonly snapshot: Snapshot
  readonly cpu: NodeJS.CpuUsage
  readonly utilization: EventLoopUtilization
}

/** Samples what the service does once a second, whoever looks, and keeps the last 15 minutes, in 150 KB. */
export class Sampler {
  readonly #options: SamplerOptions
  readonly #columns = Object.fromEntries(FIELDS.map((field) => [field, [] as number[]])) as Record<Field, number[]>
  readonly #marks: Mark[] = []
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  #timer: NodeJS.Timeout | undefined

  constructor (options: SamplerOptions) {
    this.#options = options
  }

  /** All that is kept, the oldest first. */
  get past (): Readonly<Record<Field, readonly number[]>> {
    return this.#columns
  }

  /** @param onSample told of each. */
  start (onSample: (sample: Sample) => void): void {
    this.#delay.enable()
    void this.#mark()
    this.#timer = setInterval(() => {
      void this.#mark().then((sample) => { if (sample !== undefined) onSample(sample) })
    }, EVERY_MS).unref()
  }

  stop (): void {
    clearInterval(this.#timer)
    this.#delay.disable()
  }

  async #mark (): Promise<Sample | undefined> {
    const at = performance.now()
    const cpu = process.cpuUsage()
    const utilization = performance.eventLoopUtilization()
    const mark = { at, cpu, utilization, snapshot: await this.#options.snapshot() }
    const before = this.#marks.at(-1)
    this.#marks.push(mark)
    if (before === undefined) return undefined
    const sample = this.#compare(mark, before, this.#marks[0]!)
    if (this.#marks.length > WINDOW) this.#marks.shift()
    for (const field of FIELDS) {
      const column = this.#columns[field]
      column.push(sample[field])
      if (column.length > KEPT_MS / EVERY_MS) column.shift()
    }
    return sample
  }

  #compare (now: Mark, before: Mark, first: Mark): Sample {
    const { snapshot } = now
    const ms = now.at - before.at
    const rate = (name: 'messages' | 'deliveries' | 'bytes' | 'resumes' | 'gaps' | 'rejected' | 'slow' | 'dropped') =>
      rounded((snapshot[name] - before.snapshot[name]) * 1_000 / ms)
    const latency = since(snapshot.latency, first.snapshot.latency)
    const probe = since(snapshot.probe, first.snapshot.probe)
    const cpuMicros = now.cpu.user - before.cpu.user + now.cpu.system - before.cpu.system
    const lagMs = this.#delay.max / 1e6 - LAG_RESOLUTION_MS
    this.#delay.reset()
    const { rss, heapUsed } = process.memoryUsage()
    return {
      at: Date.now(),
      connections: snapshot.connections,
      merchants: snapshot.merchants,
      messages: rate('messages'),
      deliveries: rate('deliveries'),
      bytes: rate('bytes'),
      resumes: rate('resumes'),
      gaps: rate('gaps'),
      rejected: rate('rejected'),
      slow: rate('slow'),
      dropped: rate('dropped'),
      p50: rounded(quantile(0.5, latency) * 1_000),
      p99: rounded(quantile(0.99, latency) * 1_000),
      probe: this.#options.standing() ? rounded(probe.sum / probe.count * 1_000) : NaN,
      lag: rounded(Math.max(0, lagMs)),
      busy: rounded(performance.eventLoopUtilization(now.utilization, before.utilization).utilization * 100),
      cpu: rounded(cpuMicros / 10 / ms),
      rss,
      heap: heapUsed,
    }
  }
}

/** As exactly as anybody will read it. */
function rounded (value: number): number {
  return Number(value.toPrecision(5))
}
