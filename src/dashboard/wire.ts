/*
 * What the feed of the live page consists of: of each new viewer's, first one `instance` and one `past`, then a `now` each
 * second. All are JSON; what there was nothing to measure of is null.
 */

/** Of what a sample consists: rates are per second, times are in milliseconds. */
export const FIELDS = [
  'at', 'connections', 'merchants', 'messages', 'deliveries', 'bytes', 'resumes', 'gaps', 'rejected', 'slow', 'dropped',
  'p50', 'p99', 'probe', 'lag', 'busy', 'cpu', 'rss', 'heap',
] as const
export type Field = typeof FIELDS[number]

/** The process that a viewer sees. */
export interface Instance {
  readonly host: string
  readonly pid: number
  readonly version: string
  readonly node: string
  /** What the broker is called. */
  readonly broker: string
  /** In Unix milliseconds. */
  readonly startedAt: number
  /** How often there is a sample, and how long it is kept, in milliseconds. */
  readonly everyMs: number
  readonly keptMs: number
}

/** All samples that are kept, the oldest first. */
export type Past = Readonly<Record<Field, ReadonlyArray<number | null>>>

export interface Standing {
  readonly merchantId: string
  readonly connections: number
  /** Messages per second. */
  readonly rate: number
}

export interface Now {
  readonly sample: Readonly<Record<Field, number | null>>
  readonly redis: {
    readonly standing: boolean
    /** For how long it has been so, in milliseconds. */
    readonly forMs: number
  }
  /** Whether the instance has been told to end. */
  readonly leaving: boolean
  readonly byConnections: readonly Standing[]
  readonly byRate: readonly Standing[]
}
