/* The load generator: a process that holds all clients of a run. */
import { performance } from 'node:perf_hooks'
import { micros } from './clock.js'
import type { Story } from './event.js'
import { ParsedStream } from './parsed-stream.js'
import { percentile } from './percentile.js'
import { ScannedStream, type BenchStream } from './scanned-stream.js'
import { Tally, type Expectation } from './tally.js'
import { serve } from './worker.js'

/** Clients number `from` to `to` (exclusive), dealt out to the merchants in turn. */
interface Crowd {
  readonly port: number
  readonly from: number
  readonly to: number
  readonly merchants: number
  readonly story: Story
  /** The number of the first event that they are to get: it is the first merchant's. */
  readonly since: number
  /** Whether they parse all they get, instead of scanning it. */
  readonly parsing: boolean
  readonly withinMs: number
}

/** So many connections are being opened at any time: fewer than a listening socket's queue takes. */
const OPENING_AT_ONCE = 100

const tally = new Tally()
const streams: BenchStream[] = []
let loop = performance.eventLoopUtilization()

/** Opens the crowd's streams, for no longer than it may take; how many streams are open in all. */
async function open ({ port, from, to, merchants, story, since, parsing, withinMs }: Crowd): Promise<number> {
  const deadline = performance.now() + withinMs
  const Stream = parsing ? ParsedStream : ScannedStream
  let next = from
  const openInTurn = async () => {
    while (next < to && performance.now() < deadline) {
      const merchant = next++ % merchants
      const stream = new Stream({ port, path: `/api/realtime/events?merchantId=m${merchant}`, first: since + merchant, step: merchants, story, tally })
      const timer = setTimeout(() => { stream.close() }, deadline - performance.now())
      try {
        await stream.greeted
        streams.push(stream)
      } finally {
        clearTimeout(timer)
      }
    }
  }
  // One that cannot be opened shows in the count, and ends only its own turn.
  await Promise.allSettled(Array.from({ length: OPENING_AT_ONCE }, openInTurn))
  return streams.length
}

/** From now on, what was not expected does not count. */
function expect (expectation: Expectation): void {
  tally.expect(expectation)
  loop = performance.eventLoopUtilization()
}

/** What came since {@link expect}: once all is there, or so much later. */
async function report ({ withinMs }: { readonly withinMs: number }) {
  await tally.complete(withinMs)
  const endedAt = micros()
  const { delivered, doubled, skipped, corrupt, unexpected, ended, heartbeats, parsed, identified, latencies } = tally
  const milliseconds = (share: number) => (percentile(latencies, share) ?? NaN) / 1_000
  return {
    delivered,
    doubled,
    skipped,
    corrupt,
    unexpected,
    ended,
    heartbeats,
    parsed,
    identified,
    samples: latencies.length,
    endedAt: tally.completedAt ?? endedAt,
    latencyMs: { p50: milliseconds(0.5), p99: milliseconds(0.99), p999: milliseconds(0.999) },
    /** Share of the time in which the event loop was not waiting, 0–1. */
    busy: performance.eventLoopUtilization(loop).utilization,
  }
}

const handlers = { open, expect, report }
export type Clients = typeof handlers
export type ClientsReport = Awaited<ReturnType<typeof report>>

serve(handlers)
