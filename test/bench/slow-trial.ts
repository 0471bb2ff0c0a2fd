import { withProcesses } from './children.js'
import type { Clients, ClientsReport } from './clients.js'
import { completionsBefore, type Story } from './event.js'
import { expositionOf, valueOf } from './exposition.js'
import type { Publisher } from './publisher.js'
import { BenchRedis } from './redis.js'
import { Samples } from './samples.js'
import type { SlowScenario } from './scenarios.js'
import { ServerUnderTest, thisService } from './server.js'
import type { SlowClients, SlowReport } from './slow-clients.js'
import { percent, remarkOnOthers, Spending, type Shares } from './spending.js'
import { Worker } from './worker.js'

/** How the fast clients of a merchant fared, and the slow ones, if there were any. */
export interface SlowTrial {
  readonly kind: 'slow'
  readonly scenario: string
  readonly fast: number
  readonly slow: number
  /** Of the fast clients, as all up to the latency. */
  readonly expected: number
  readonly delivered: number
  readonly lost: number
  readonly latencyMs: ClientsReport['latencyMs']
  readonly samples: number
  /** The server's resident memory in bytes, while it was measured. */
  readonly rss: { readonly start: number, readonly peak: number, readonly end: number }
  /** What the service itself says that it owed all clients, at most, in bytes. */
  readonly bufferedPeak: number
  /** Events that the service conflated while it was measured. */
  readonly conflated: number
  /** Clients that the service cut off. */
  readonly cutOff: number
  /** What the slow clients had in the end. */
  readonly caughtUp: SlowReport | undefined
  readonly shares: Shares<'server' | 'redis' | 'clients' | 'publisher' | 'slowClients'>
  /** What must be known to read the numbers, a sentence each. */
  readonly notes: readonly string[]
  /**
   * Whether the fast clients got each event once, in order and unchanged, and the slow ones, who did lag, every
   * completion and the latest progress of each order; and nobody was cut off.
   */
  readonly sound: boolean
}

const PARSING_CLIENTS = 5
const CONNECT_MS = 30_000
const WARM_UP_S = 2
const DRAIN_MS = 10_000
const CATCH_UP_MS = 30_000
/**
 * So fast do the kernel's buffers of the slow clients fill before the fast ones come: it takes some megabytes each before
 * a server notices that a client of the same machine does not read.
 */
const FILL_PER_SECOND = 5_000
const FILL_S = 1
const FILLS = 30
/** All slow clients lag when the service conflates this share of the progress for them: nearly all. */
const LAGGING = 0.95
const BUSY = 0.9
const LATE_MS = 20

/** Has the scenario's clients be served without slow ones among them, and with. */
export async function obstruct (scenario: SlowScenario): Promise<SlowTrial[]> {
  return [await serveWith(scenario, 0), await serveWith(scenario, scenario.slow)]
}

async function serveWith (scenario: SlowScenario, slow: number): Promise<SlowTrial> {
  return await withProcesses(async (started) => {
    const redis = started(await BenchRedis.start())
    const server = started(await ServerUnderTest.start(thisService, redis.url))
    const processes = {
      redis,
      server,
      clients: started(new Worker<Clients>('clients.ts')),
      publisher: started(new Worker<Publisher>('publisher.ts', { REDIS_URL: redis.url })),
      slowClients: started(new Worker<SlowClients>('slow-clients.ts')),
    }
    return await measure(scenario, slow, processes)
  })
}

interface Processes {
  readonly redis: BenchRedis
  readonly server: ServerUnderTest
  readonly clients: Worker<Clients>
  readonly publisher: Worker<Publisher>
  readonly slowClients: Worker<SlowClients>
}

async function measure (scenario: SlowScenario, slow: number, processes: Processes): Promise<SlowTrial> {
  const { redis, server, clients, publisher, slowClients } = processes
  const { messagesPerSecond, seconds, sampleEvery, story } = scenario
  const { port } = server
  const fast = scenario.clients - slow
  const since = slow > 0 ? await fill(scenario, processes) : 0
  const crowd = { port, merchants: 1, story, since, withinMs: CONNECT_MS }
  await clients.call('open', { ...crowd, from: 0, to: PARSING_CLIENTS, parsing: true })
  const open = await clients.call('open', { ...crowd, from: PARSING_CLIENTS, to: fast, parsing: false })

  const from = since + messagesPerSecond * WARM_UP_S
  const to = from + messagesPerSecond * seconds
  await clients.call('expect', { from: since, events: (from - since) * open, sampleEvery })
  await publisher.call('publish', { from: since, to: from, perSecond: messagesPerSecond, merchants: 1, story })
  await clients.call('report', { withinMs: DRAIN_MS })

  const expected = (to - from) * open
  await clients.call('expect', { from, events: expected, sampleEvery })
  const conflatedBefore = await conflatedBy(port)
  const samples = new Samples(server)
  const spending = new Spending({ server: server.pid, redis: redis.pid, clients: clients.pid, publisher: publisher.pid, slowClients: slowClients.pid })
  const publication = await publisher.call('publish', { from, to, perSecond: messagesPerSecond, merchants: 1, story })
  const report = await clients.call('report', { withinMs: DRAIN_MS })
  const { shares } = spending.spent()
  const { rss, bufferedPeak } = await samples.stop()
  const conflated = await conflatedBy(port) - conflatedBefore
  const caughtUp = slow > 0 ? await slowClients.call('catchUp', { to, withinMs: CATCH_UP_MS }) : undefined
  const cutOff = valueOf(await expositionOf(port), 'realtime_slow_consumers_total')

  const { delivered, latencyMs, samples: timed, doubled, skipped, corrupt, unexpected, ended, busy } = report
  const faults = doubled + skipped + corrupt + unexpected + ended
  const lagged = conflated >= LAGGING * progressIn(to - from, story) * slow
  return {
    kind: 'slow',
    scenario: scenario.name,
    fast: open,
    slow,
    expected,
    delivered,
    lost: expected - delivered,
    latencyMs,
    samples: timed,
    rss,
    bufferedPeak,
    conflated,
    cutOff,
    caughtUp,
    shares,
    sound: open === fast && delivered === expected && faults + cutOff === 0 && (caughtUp === undefined || (lagged && isWhole(caughtUp))),
    notes: [
      open < fast && `only ${open} of ${fast} fast clients could connect within ${CONNECT_MS / 1_000} s`,
      faults > 0 && `${doubled} events came to fast clients twice or late, ${skipped} were left out, ${corrupt} were not what was published; ${unexpected} unexpected control events; ${ended} streams were ended by the server`,
      publication.latenessMs > LATE_MS && `the publisher was ${publication.latenessMs.toFixed(0)} ms behind its plan (99th percentile)`,
      busy > BUSY && `the load generator was busy ${percent(busy)} of the time and may be what limits`,
      !lagged && 'not all slow clients lagged all the time: nothing is shown',
      ...caughtUp === undefined ? [] : remarksOn(caughtUp, slow, to),
      remarkOnOthers(shares),
    ].filter((note) => note !== false),
  }
}

/** Opens the slow clients and publishes until all lag; the number of the first event that is not published yet. */
async function fill ({ slow, story, bytesPerSecond }: SlowScenario, { server: { port }, publisher, slowClients }: Processes): Promise<number> {
  await slowClients.call('open', { port, clients: slow, story, bytesPerSecond })
  const perFill = FILL_PER_SECOND * FILL_S
  for (let from = 0; from < FILLS * perFill; from += perFill) {
    const before = await conflatedBy(port)
    await publisher.call('publish', { from, to: from + perFill, perSecond: FILL_PER_SECOND, merchants: 1, story })
    if (await conflatedBy(port) - before >= LAGGING * progressIn(perFill, story) * slow) return from + perFill
  }
  return FILLS * perFill // That they do not lag will show.
}

async function conflatedBy (port: number): Promise<number> {
  return valueOf(await expositionOf(port), 'realtime_events_conflated_total')
}

/** How many of so many events are progress, on average. */
function progressIn (events: number, story: Story): number {
  return events - completionsBefore(events, story)
}

function isWhole ({ completions, completionsDue, faults, outOfDate, ended }: SlowReport): boolean {
  return completions === completionsDue && faults + outOfDate + ended === 0
}

function remarksOn ({ events, slowly, faults, outOfDate, ended, seconds }: SlowReport, slow: number, to: number): Array<string | false> {
  return [
    `when the load was over, the slow clients, who had read ${Math.round(slowly / slow).toLocaleString('en-US')} of ${to.toLocaleString('en-US')} events each at their own pace, read the rest as fast as they could, in ${seconds.toFixed(1)} s: mostly what the kernel had taken for them before it had the server wait; each got ${percent(events / slow / to)} of all events`,
    faults > 0 && `${faults} events came to slow clients in another order, or were not what was published`,
    outOfDate > 0 && `${outOfDate} slow clients lacked a completion, or had progress last that was not the latest`,
    ended > 0 && `${ended} slow clients' streams were ended by the server`,
  ]
}
