import { setTimeout as sleep } from 'node:timers/promises'
import { withProcesses } from './children.js'
import type { Clients, ClientsReport } from './clients.js'
import { micros } from './clock.js'
import type { Story } from './event.js'
import { fileLimit, kernelMemory, rssOf, type CpuTime } from './proc.js'
import type { Publication, Publisher } from './publisher.js'
import { BenchRedis } from './redis.js'
import type { LoadScenario } from './scenarios.js'
import { ServerUnderTest, type Design } from './server.js'
import { percent, remarkOnOthers, Spending, type Shares } from './spending.js'
import { Worker } from './worker.js'

/** What one scenario did to one design. */
export interface LoadTrial {
  readonly kind: 'load'
  readonly scenario: string
  readonly design: string
  /** That were open while it was measured. */
  readonly clients: number
  readonly expected: number
  /** Within the measured time and {@link DRAIN_MS} after it. */
  readonly delivered: number
  readonly lost: number
  readonly deliveriesPerSecond: number
  readonly latencyMs: ClientsReport['latencyMs']
  readonly samples: number
  readonly heartbeats: number
  /** Deliveries per second of processor time that the server used, in whichever mode. */
  readonly deliveriesPerCpuSecond: number
  /** The server's, in microseconds per delivery. */
  readonly cpuPerDelivery: CpuTime
  readonly shares: Shares<keyof Processes>
  /** The server's resident memory, in bytes; `undefined` of too few connections to tell theirs from the process's own. */
  readonly rssPerConnection: number | undefined
  /** The server's resident memory when all was over, in bytes. */
  readonly rssAfterwards: number
  /** Share of the time in which the load generator's event loop was not waiting, 0–1. */
  readonly clientsBusy: number
  /** The publisher's 99th percentile behind its plan, in milliseconds. */
  readonly publisherLateMs: number
  /** What must be known to read the numbers, a sentence each. */
  readonly notes: readonly string[]
  /** Whether what came, however much it was, came once, in order, unchanged and with or without an id, on streams that stayed open. */
  readonly sound: boolean
}

const PARSING_CLIENTS = 5
const WARM_UP_S = 2
/**
 * Events per second that all clients together get in the warm-up, at most: it must not leave a slow design with a
 * backlog for the measured time.
 */
const WARM_UP_DELIVERIES_PER_SECOND = 100_000
const CONNECT_MS = 30_000
const SETTLE_MS = 2_000
/** What is still under way when the last event is published gets so long to arrive. */
const DRAIN_MS = 10_000
/** Descriptors that a process has for other things than clients. */
const SPARE_FILES = 300
/** From so many connections on, the server's memory is mostly theirs. */
const MANY_CONNECTIONS = 2_000
/** Beyond these, a number may be the benchmark's or the machine's and not the server's. */
const BUSY = 0.9
const LATE_MS = 20

/** Runs one scenario against one design, in processes that are gone when it is over. */
export async function tryOut (scenario: LoadScenario, design: Design): Promise<LoadTrial> {
  return await withProcesses(async (started) => {
    const redis = started(await BenchRedis.start())
    const server = started(await ServerUnderTest.start(design, redis.url))
    const clients = started(new Worker<Clients>('clients.ts'))
    const publisher = started(new Worker<Publisher>('publisher.ts', { REDIS_URL: redis.url }))
    return await measure(scenario, design, { redis, server, clients, publisher })
  })
}

interface Processes {
  readonly redis: BenchRedis
  readonly server: ServerUnderTest
  readonly clients: Worker<Clients>
  readonly publisher: Worker<Publisher>
}

const pidsOf = ({ server, redis, clients, publisher }: Processes) => ({ server: server.pid, redis: redis.pid, clients: clients.pid, publisher: publisher.pid })

async function measure (scenario: LoadScenario, design: Design, processes: Processes): Promise<LoadTrial> {
  const { server, clients, publisher } = processes
  const { merchants, messagesPerSecond, seconds, sampleEvery } = scenario
  const wanted = Math.min(scenario.clients, Math.floor((fileLimit() - SPARE_FILES) / design.filesPerClient))
  const { open, rssPerConnection, kernelPerConnection } = await connect(processes, { merchants, wanted })

  const perMessage = open / merchants
  const warmUpRate = Math.min(messagesPerSecond, WARM_UP_DELIVERIES_PER_SECOND / perMessage)
  const from = Math.round(warmUpRate * WARM_UP_S)
  const to = from + messagesPerSecond * seconds
  if (from > 0) {
    await clients.call('expect', { from: 0, events: from * perMessage, sampleEvery })
    await publisher.call('publish', { from: 0, to: from, perSecond: warmUpRate, merchants, story })
    await clients.call('report', { withinMs: DRAIN_MS })
  }

  const expected = (to - from) * perMessage
  await clients.call('expect', { from, events: expected, sampleEvery })
  const spending = new Spending(pidsOf(processes))
  const startedAt = micros()
  const publication = to > from ? await publisher.call('publish', { from, to, perSecond: messagesPerSecond, merchants, story }) : undefined
  if (publication === undefined) await sleep(seconds * 1_000)
  const report = await clients.call('report', { withinMs: DRAIN_MS })
  const { shares, times } = spending.spent()

  const trial = {
    kind: 'load' as const,
    scenario: scenario.name,
    design: design.name,
    clients: open,
    expected,
    delivered: report.delivered,
    lost: expected - report.delivered,
    deliveriesPerSecond: report.delivered / Math.max(seconds, (report.endedAt - (publication?.startedAt ?? startedAt)) / 1e6),
    latencyMs: report.latencyMs,
    samples: report.samples,
    heartbeats: report.heartbeats,
    deliveriesPerCpuSecond: report.delivered * 1e6 / (times.server.user + times.server.system),
    cpuPerDelivery: { user: times.server.user / report.delivered, system: times.server.system / report.delivered },
    shares,
    rssPerConnection,
    rssAfterwards: rssOf(server.pid),
    clientsBusy: report.busy,
    publisherLateMs: publication?.latenessMs ?? 0,
    sound: report.doubled + report.skipped + report.corrupt + report.unexpected + report.ended + misidentified(report, design) === 0,
  }
  const connections = open < wanted
    ? `only ${open} of ${wanted} clients could connect within ${CONNECT_MS / 1_000} s`
    : wanted < scenario.clients && `${wanted} clients instead of ${scenario.clients}: a process may have ${fileLimit()} file descriptors here, and a client takes ${design.filesPerClient} of the server`
  // Where much is sent, what is under way counts for more than what is open.
  const beside = publication === undefined && kernelPerConnection !== undefined && `the kernel holds another ${(kernelPerConnection / 1_024).toFixed(1)} KB for each client, at either end`
  return { ...trial, notes: [connections, beside, ...remarks(trial, report, publication), remarkOnIds(report, design)].filter((note) => note !== false) }
}

/** Nothing in these scenarios depends on what is published. */
const story: Story = {}

interface Connected {
  /** How many streams are open. */
  readonly open: number
  /** What each added to the server's memory, in bytes; `undefined` of too few to tell. */
  readonly rssPerConnection: number | undefined
  /** What the kernel holds for each client, at either end. */
  readonly kernelPerConnection: number | undefined
}

/** Opens the clients' streams. */
async function connect ({ server, clients }: Processes, { merchants, wanted }: { readonly merchants: number, readonly wanted: number }): Promise<Connected> {
  const crowd = { port: server.port, merchants, story, since: 0, withinMs: CONNECT_MS }
  // The few come first, so that what the first connections make a process load is not counted as theirs.
  const few = await clients.call('open', { ...crowd, from: 0, to: PARSING_CLIENTS, parsing: true })
  await sleep(SETTLE_MS)
  const [rss, kernel] = [rssOf(server.pid), kernelMemory()]
  const open = await clients.call('open', { ...crowd, from: PARSING_CLIENTS, to: wanted, parsing: false })
  await sleep(SETTLE_MS)
  const each = (bytes: number) => open < MANY_CONNECTIONS ? undefined : bytes / (open - few)
  return { open, rssPerConnection: each(rssOf(server.pid) - rss), kernelPerConnection: each((kernelMemory() - kernel) / 2) }
}

/** How many events bore no id where they should, or one where they should not. */
function misidentified ({ parsed, identified }: ClientsReport, { ids }: Design): number {
  return ids ? parsed - identified : identified
}

function remarkOnIds (report: ClientsReport, design: Design): string | false {
  const count = misidentified(report, design)
  return count > 0 && `${count} of ${report.parsed} events that were parsed bore ${design.ids ? 'no id' : 'an id'}: history was not ${design.ids ? 'on' : 'off'}`
}

/** What is out of the ordinary, and what may have been measured in the place of the server. */
function remarks (trial: Omit<LoadTrial, 'notes'>, { doubled, skipped, corrupt, unexpected, ended }: ClientsReport, publication: Publication | undefined): Array<string | false> {
  const { delivered, expected, heartbeats, rssAfterwards, clientsBusy, publisherLateMs, shares } = trial
  return [
    publication === undefined && `${heartbeats} heartbeats came`,
    delivered < expected && `${percent(delivered / expected)} had arrived ${DRAIN_MS / 1_000} s after the last was published; CPU per delivery includes the work on the rest, and the server's memory stood at ${Math.round(rssAfterwards / 1e6)} MB`,
    publication !== undefined && publication.acknowledged < publication.published && `Redis had taken ${publication.acknowledged} of ${publication.published} messages a second after the last was sent`,
    clientsBusy > BUSY && `the load generator was busy ${percent(clientsBusy)} of the time and may be what limits`,
    publisherLateMs > LATE_MS && `the publisher was ${publisherLateMs.toFixed(0)} ms behind its plan (99th percentile)`,
    remarkOnOthers(shares),
    doubled > 0 && `${doubled} events came twice or late`,
    skipped > 0 && `${skipped} events were left out of a stream that went on`,
    corrupt > 0 && `${corrupt} events were not what was published`,
    unexpected > 0 && `${unexpected} unexpected control events`,
    ended > 0 && `${ended} streams were ended by the server`,
  ]
}
