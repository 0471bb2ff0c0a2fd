import { forge, inSeconds } from '../helpers/tokens.js'
import { withProcesses } from './children.js'
import { comesTo, expositionOf, valueOf } from './exposition.js'
import { fileLimit, listenOverflows, type CpuTime } from './proc.js'
import { BenchRedis } from './redis.js'
import type { StormScenario } from './scenarios.js'
import { ServerUnderTest, thisService } from './server.js'
import { percent, remarkOnOthers, Spending, type Shares } from './spending.js'
import type { StormClients, StormReport } from './storm-clients.js'
import { Worker } from './worker.js'

/** What one storm did to this service. */
export interface StormTrial {
  readonly kind: 'storm'
  readonly scenario: string
  /** Which of the storms of a process. */
  readonly storm: string
  readonly clients: number
  readonly greeted: number
  readonly openingsPerSecond: number
  /** From the beginning of the storm. */
  readonly greetingMs: StormReport['greetingMs']
  /** The server's, in microseconds. */
  readonly cpuPerOpening: CpuTime
  readonly shares: Shares<'server' | 'redis' | 'clients'>
  /** What must be known to read the numbers, a sentence each. */
  readonly notes: readonly string[]
  /** Whether all who had a token were let in, each to its own merchant, and nobody else. */
  readonly sound: boolean
}

const SECRET = 'a secret of this benchmark that is long enough'
/** Those of a process that has just started, and of one that has been through that. */
const STORMS = ['first', 'second'] as const
const STORM_MS = 30_000
const LEAVE_MS = 10_000
/** Descriptors that a process has for other things than clients. */
const SPARE_FILES = 300
const BUSY = 0.9

/** Has the scenario's clients come twice, all at once, to a server that has just started. */
export async function weather (scenario: StormScenario): Promise<StormTrial[]> {
  return await withProcesses(async (started) => {
    const redis = started(await BenchRedis.start())
    const server = started(await ServerUnderTest.start(thisService, redis.url, { AUTH_MODE: 'jwt', JWT_SECRET: SECRET }))
    const clients = started(new Worker<StormClients>('storm-clients.ts'))
    const { port } = server
    const wanted = Math.min(scenario.clients, fileLimit() - SPARE_FILES)
    await clients.call('mint', { clients: wanted, secret: SECRET })

    const trials: StormTrial[] = []
    for (const storm of STORMS) {
      if (trials.length > 0) {
        await clients.call('leave', undefined)
        await comesTo(port, 'realtime_connections', 0, LEAVE_MS)
      }
      const turnedAway = await refusesStrangers(port)
      const overflowsBefore = listenOverflows()
      const spending = new Spending({ server: server.pid, redis: redis.pid, clients: clients.pid })
      const report = await clients.call('storm', { port, withinMs: STORM_MS })
      const { times, shares } = spending.spent()
      const overflows = listenOverflows() - overflowsBefore
      const merchants = valueOf(await expositionOf(port), 'realtime_merchants_connected')
      const { greeted, seconds, greetingMs, connectingMs, busy, failures, ended, unexpected } = report
      trials.push({
        kind: 'storm',
        scenario: scenario.name,
        storm,
        clients: wanted,
        greeted,
        openingsPerSecond: greeted / seconds,
        greetingMs,
        cpuPerOpening: { user: times.server.user / greeted, system: times.server.system / greeted },
        shares,
        sound: turnedAway && greeted === wanted && merchants === wanted && ended + unexpected === 0,
        notes: [
          `the last client began to connect after ${connectingMs.toFixed(0)} ms`,
          wanted < scenario.clients && `${wanted} clients instead of ${scenario.clients}: a process may have ${fileLimit()} file descriptors here`,
          overflows > 0 && `the queue of the listening socket was full ${overflows} times; the kernel drops such an attempt and the client's repeats it after a second`,
          busy > BUSY && `the load generator was busy ${percent(busy)} of the time and may be what limits`,
          remarkOnOthers(shares),
          !turnedAway && 'a client whose token was wrong, or who had none, was not refused with 401',
          merchants !== wanted && `${merchants} merchants had clients and not ${wanted}`,
          ended > 0 && `${ended} streams were ended by the server`,
          unexpected > 0 && `${unexpected} unexpected control events`,
          ...Object.entries(failures).map(([message, count]) => `${count} clients failed: ${message}`),
        ].filter((note) => note !== false),
      })
    }
    return trials
  })
}

/** Whether the service lets nobody in whose token another secret signed, or who has none. */
async function refusesStrangers (port: number): Promise<boolean> {
  const forged = forge({ alg: 'HS256', typ: 'JWT' }, { merchantId: 'm0', exp: inSeconds(60) }, `not ${SECRET}`)
  for (const headers of [{ authorization: `Bearer ${forged}` }, {}]) {
    const controller = new AbortController()
    const { status } = await fetch(`http://127.0.0.1:${port}/api/realtime/events`, { headers: { ...headers, connection: 'close' }, signal: controller.signal })
    controller.abort() // An open stream would not end.
    if (status !== 401) return false
  }
  return true
}
