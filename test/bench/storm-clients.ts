/* The load generator of storms: a process whose clients all come at once. */
import { performance } from 'node:perf_hooks'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { forge, inSeconds } from '../helpers/tokens.js'
import { micros } from './clock.js'
import { percentile } from './percentile.js'
import { ScannedStream } from './scanned-stream.js'
import { Tally } from './tally.js'
import { serve } from './worker.js'

interface Storm {
  readonly port: number
  readonly withinMs: number
}

/**
 * So many clients begin to connect in one turn of the event loop; then it reads what has come, and goes on at once. More
 * would leave greetings unread while it connects.
 */
const PER_TURN = 50
const LIFETIME_S = 3_600

const tally = new Tally()
let tokens: readonly string[] = []
let streams: ScannedStream[] = []

/** Makes a token for each client, who are of a merchant of their own each. */
function mint ({ clients, secret }: { readonly clients: number, readonly secret: string }): void {
  tokens = Array.from({ length: clients }, (_, i) => forge({ alg: 'HS256', typ: 'JWT' }, claimsOf(i), secret))
}

/** As an issuer's tokens are: some 250 bytes, most of them not for this service. */
function claimsOf (client: number) {
  return { iss: 'https://issuer.example', aud: 'realtime', sub: `user-${client}`, merchantId: `m${client}`, iat: inSeconds(0), exp: inSeconds(LIFETIME_S) }
}

/** Has all clients connect, and waits until all are greeted or refused, or so long. */
async function storm ({ port, withinMs }: Storm) {
  const loop = performance.eventLoopUtilization()
  const startedAt = micros()
  const latencies: number[] = []
  const failures: Record<string, number> = {}
  const outcomes: Array<Promise<void>> = []
  const greeted = () => { latencies.push(micros() - startedAt) }
  const failed = ({ message }: Error) => { failures[message] = (failures[message] ?? 0) + 1 }
  for (const [i, token] of tokens.entries()) {
    const stream = new ScannedStream({ port, path: '/api/realtime/events', token, first: 0, step: 1, story: {}, tally })
    streams.push(stream)
    outcomes.push(stream.greeted.then(greeted, failed))
    if (i % PER_TURN === PER_TURN - 1) await turn()
  }
  const connectingMs = (micros() - startedAt) / 1_000
  await Promise.race([Promise.all(outcomes), sleep(withinMs)])
  const { ended, unexpected } = tally
  const milliseconds = (share: number) => (percentile(latencies, share) ?? NaN) / 1_000
  return {
    greeted: latencies.length,
    failures,
    /** Since they were greeted. */
    ended,
    unexpected,
    /** From the first client's first step to the last greeting. */
    seconds: (latencies.at(-1) ?? NaN) / 1e6,
    /** When the last had begun to connect. */
    connectingMs,
    /** From the beginning of the storm, and not of each client's attempt: it is then that all want to be served. */
    greetingMs: { p50: milliseconds(0.5), p99: milliseconds(0.99), max: milliseconds(1) },
    busy: performance.eventLoopUtilization(loop).utilization,
  }
}

/** Has all clients leave. */
function leave (): void {
  for (const stream of streams) stream.close()
  streams = []
}

const handlers = { mint, storm, leave }
export type StormClients = typeof handlers
export type StormReport = Awaited<ReturnType<typeof storm>>

serve(handlers)
