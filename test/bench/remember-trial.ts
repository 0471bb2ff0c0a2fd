import { withProcesses } from './children.js'
import { micros } from './clock.js'
import { comesTo, expositionOf, valueOf, type Exposition } from './exposition.js'
import type { MessageLoop } from './message-loop.js'
import { rssOf, type CpuTime } from './proc.js'
import type { Publisher } from './publisher.js'
import { BenchRedis } from './redis.js'
import type { RememberScenario } from './scenarios.js'
import { historyOff, ServerUnderTest, thisService, type Design } from './server.js'
import { percent, remarkOnOthers, Spending, type Shares } from './spending.js'
import { Worker } from './worker.js'

/** What messages cost this service that nobody here listens to. */
export interface RememberTrial {
  readonly kind: 'remember'
  readonly scenario: string
  /** How the messages came: published to Redis at an even rate, or by a loop in the service's process, as many as it took. */
  readonly way: 'through Redis' | 'by a loop'
  readonly history: boolean
  readonly expected: number
  readonly received: number
  readonly messagesPerSecond: number
  /** The service's, in microseconds. */
  readonly cpuPerMessage: CpuTime
  /** `undefined` where there is but one process. */
  readonly shares: Shares<'server' | 'redis' | 'publisher'> | undefined
  /** What the history held in the end; `undefined` where the service says nothing of one. */
  readonly held: { readonly events: number, readonly bytes: number } | undefined
  /** Of the service's process in the end, in bytes. */
  readonly rss: number
  /** What must be known to read the numbers, a sentence each. */
  readonly notes: readonly string[]
  /** Whether all that was published was received, and something of it was remembered, or nothing. */
  readonly sound: boolean
}

const RECEIVED = 'realtime_messages_received_total{topic="progress"}'
const WARM_UP_S = 2
const SUBSCRIBE_MS = 10_000
/** What is still under way when the last message is published gets so long to arrive. */
const DRAIN_MS = 10_000
/** Beyond these, what was measured is not what was planned. */
const BUSY = 0.9
const LATE_MS = 20

/** Publishes to Redis, at the scenario's rate. */
export async function receiveThroughRedis (scenario: RememberScenario, design: Design): Promise<RememberTrial> {
  return await withProcesses(async (started) => {
    const redis = started(await BenchRedis.start())
    const server = started(await ServerUnderTest.start(design, redis.url))
    const publisher = started(new Worker<Publisher>('publisher.ts', { REDIS_URL: redis.url }))
    const { port, pid } = server
    const { merchants, messagesPerSecond: perSecond, seconds } = scenario
    await comesTo(port, 'realtime_redis_connected', 1, SUBSCRIBE_MS)

    const from = perSecond * WARM_UP_S
    const to = from + perSecond * seconds
    await publisher.call('publish', { from: 0, to: from, perSecond, merchants, story: {} })
    const before = await receivedUpTo(from, port)
    const spending = new Spending({ server: pid, redis: redis.pid, publisher: publisher.pid })
    const { startedAt, latenessMs } = await publisher.call('publish', { from, to, perSecond, merchants, story: {} })
    const received = await receivedUpTo(to, port) - before
    const elapsed = (micros() - startedAt) / 1e6
    const { times, shares } = spending.spent()

    const trial = {
      way: 'through Redis' as const,
      expected: to - from,
      received,
      messagesPerSecond: received / elapsed,
      cpuPerMessage: { user: times.server.user / received, system: times.server.system / received },
      shares,
      rss: rssOf(pid),
    }
    const exposition = await expositionOf(port)
    const lost = valueOf(exposition, 'realtime_redis_reconnects_total')
    return assessed(scenario, design, exposition, trial, [
      latenessMs > LATE_MS && `the publisher was ${latenessMs.toFixed(0)} ms behind its plan (99th percentile)`,
      shares.publisher > BUSY && `the publisher was busy ${percent(shares.publisher)} of the time and may be what limits`,
      lost > 0 && `the service lost its subscription ${lost} times, Redis having dropped it or fallen silent`,
      remarkOnOthers(shares),
    ])
  })
}

/**
 * Has the service take messages without Redis, sockets or other processes beside it: with history and without, in turns
 * and in a process of its own each, as the one's garbage must not be collected at the other's cost.
 */
export async function receiveByLoop (scenario: RememberScenario): Promise<RememberTrial[]> {
  return await withProcesses(async (started) => {
    const { merchants, turns, secondsPerTurn } = scenario
    const loops = [thisService, historyOff].map((design) => ({ design, worker: started(new Worker<MessageLoop>('message-loop.ts')) }))
    for (const { design: { settings }, worker } of loops) {
      await worker.call('start', { settings, merchants })
      await worker.call('receive', { seconds: WARM_UP_S })
    }
    const trials: RememberTrial[] = []
    for (let i = 0; i < turns; i++) {
      for (const { design, worker } of i % 2 === 0 ? loops : loops.toReversed()) {
        const { messages, seconds, cpu } = await worker.call('receive', { seconds: secondsPerTurn })
        trials.push(assessed(scenario, design, new Map(await worker.call('exposition', undefined)), {
          way: 'by a loop',
          expected: messages,
          received: messages,
          messagesPerSecond: messages / seconds,
          cpuPerMessage: { user: cpu.user / messages, system: cpu.system / messages },
          shares: undefined,
          rss: rssOf(worker.pid),
        }, []))
      }
    }
    return trials
  })
}

/** How many of so many messages the service has received: once it has them all, or so much later. */
async function receivedUpTo (messages: number, port: number): Promise<number> {
  await comesTo(port, RECEIVED, messages, DRAIN_MS).catch(() => { /* It will show. */ })
  return valueOf(await expositionOf(port), RECEIVED)
}

type Measured = Omit<RememberTrial, 'kind' | 'scenario' | 'history' | 'held' | 'notes' | 'sound'>

function assessed (scenario: RememberScenario, { ids: history }: Design, exposition: Exposition, measured: Measured, notes: ReadonlyArray<string | false>): RememberTrial {
  const { expected, received } = measured
  const [events, bytes] = [exposition.get('realtime_history_events'), exposition.get('realtime_history_bytes')]
  const asPlanned = events !== undefined && (events > 0) === history
  return {
    kind: 'remember',
    scenario: scenario.name,
    history,
    ...measured,
    held: events === undefined || bytes === undefined ? undefined : { events, bytes },
    sound: received === expected && asPlanned,
    notes: [
      ...notes,
      received !== expected && `${received} of ${expected} messages were received`,
      !asPlanned && `history held ${events ?? 'nobody knows how many'} events: it was not ${history ? 'on' : 'off'}`,
    ].filter((note) => note !== false),
  }
}
