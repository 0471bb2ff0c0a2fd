/* `npm run rehearse`: what Kubernetes does to the service in a rolling update, with clients and publishers who keep account. */
import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { audit, type Marks } from '../chaos/audit.js'
import { Crowd } from '../chaos/crowd.js'
import { Interrupted, interruption } from '../chaos/interruption.js'
import { PlainPublisher } from '../chaos/publishers.js'
import { Scope } from '../chaos/scope.js'
import { within } from '../chaos/within.js'
import { TestRedis } from '../helpers/redis.js'
import { inSeconds, mint } from '../helpers/tokens.js'
import { Deployment } from './deployment.js'
import { Diary } from './diary.js'
import { Endpoints } from './endpoints.js'
import { Nginx } from './nginx.js'
import { isGood, report, type Outcome } from './report.js'
import { Stopwatch } from './stopwatch.js'
import { chart, graceSeconds, quick, type Values } from './values.js'

const MERCHANTS = 100
const CLIENTS_EACH = 10
/** Merchants to whom much is published, and how much to each, per second. The others get something now and then, more seldom than heartbeats. */
const BUSY = 10
const BUSY_PER_SECOND = 15
const QUIET_PER_SECOND = 0.04
const SECRET = 'a secret of this rehearsal that is long enough'

const START_MS = 90_000
/** How long all runs before the update begins. */
const BEFORE_MS = 20_000
const ROLL_MS = 300_000
const RETURN_MS = 30_000
/** Within this something is published for each merchant, and arrives. */
const ARRIVE_MS = 60_000

const HELP = `Usage: npm run rehearse -- [--quick]

Replaces both of two instances of the built service as Kubernetes does it in a rolling update with maxSurge 1 and
maxUnavailable 0: probes, endpoints, preStop, SIGTERM, grace (test/rehearsal/values.ts). They are behind a real nginx
(Debian's) and on a real redis-server, with ${MERCHANTS * CLIENTS_EACH} clients of ${MERCHANTS} merchants and ${(BUSY * BUSY_PER_SECOND + (MERCHANTS - BUSY) * QUIET_PER_SECOND).toFixed(0)} messages/s.
The exit code is 0 when every event came to each of its clients once and in order, without a gap event, no client
was without a stream, or waited for an event, for longer than 5 s, and no pod had to be killed or restarted. Takes about three minutes.

Options:
  --quick  with less waiting: heartbeats every 2 s, a warm-up of 9 s, a drain of 7 s; about a minute and a half
  --help   this
`

const { help, values } = readArguments()
if (help) process.stdout.write(HELP)
// What was waited for when it was given up may be waited for still.
else process.exit(await rehearse(values))

async function rehearse (values: Values): Promise<number> {
  const scope = new Scope()
  try {
    const load = loadavg()[0]!.toFixed(1)
    const outcome = await Promise.race([perform(scope, values), interruption()])
    process.stdout.write(`\nLoad of the machine before: ${load}, at the end: ${loadavg()[0]!.toFixed(1)}\n\n${report(outcome)}`)
    return isGood(outcome) ? 0 : 1
  } catch (error) {
    if (error instanceof Interrupted) return error.code
    process.stderr.write(`rehearse: ${(error as Error).stack}\n`)
    return 1
  } finally {
    await scope.close()
  }
}

async function perform (scope: Scope, values: Values): Promise<Outcome> {
  const diary = new Diary()
  const stopwatch = new Stopwatch('before')
  const redis = await TestRedis.start(scope)
  const nginx = await Nginx.start(scope)
  const endpoints = new Endpoints(nginx, values.propagationMs, diary)
  const deployment = new Deployment(scope, values, { REDIS_URL: redis.url, AUTH_MODE: 'jwt', JWT_SECRET: SECRET }, endpoints, diary)
  diary.note(`two pods start; terminationGracePeriodSeconds is ${graceSeconds(values)}`)
  await within(START_MS, deployment.start(), () => 'not all pods are available')
  await endpoints.known()

  const merchants = Array.from({ length: MERCHANTS }, (_, i) => `m${i + 1}`)
  const publishers = [
    new PlainPublisher(redis.url, merchants.slice(0, BUSY), BUSY * BUSY_PER_SECOND),
    new PlainPublisher(redis.url, merchants.slice(BUSY), (MERCHANTS - BUSY) * QUIET_PER_SECOND),
  ]
  const lanes = publishers.flatMap(({ lanes }) => lanes)
  const crowd = new Crowd(scope, nginx.url, lanes, CLIENTS_EACH, { tokens: await tokensFor(merchants), observer: stopwatch })
  await within(START_MS, crowd.complete(), () => crowd.absent)
  for (const publisher of publishers) {
    scope.teardown(async () => publisher.stop())
    publisher.start()
  }
  diary.note(`${MERCHANTS * CLIENTS_EACH} clients listen`)
  const marks = (): Marks => new Map(lanes.map((lane) => [lane, lane.next]))
  const from = marks()
  await sleep(BEFORE_MS)

  await within(ROLL_MS, deployment.roll((what) => { stopwatch.lap(what) }), () => 'the rolling update is not over')
  stopwatch.lap('after')
  await overdue(diary, within(RETURN_MS, crowd.complete(), () => crowd.absent))
  const to = marks()
  await Promise.all(publishers.map(async (publisher) => publisher.settled()))
  await overdue(diary, within(ARRIVE_MS, crowd.past(to), () => crowd.behind(to)))
  diary.note('all clients have got something newer')
  const unmoved = crowd.ledgers.filter(({ drops }) => drops === 0).length
  if (unmoved > 0) diary.complain(`${unmoved} clients did not have to move: nothing is shown by them`)
  return { laps: stopwatch.stop(), account: audit(crowd.ledgers, from, to, 'all'), diary, wrong: nginx.wrong }
}

/** A token each, for as long as this takes and longer. */
async function tokensFor (merchants: readonly string[]): Promise<Map<string, string>> {
  return new Map(await Promise.all(merchants.map(async (merchantId) => [merchantId, await mint({ merchantId, exp: inSeconds(3_600) }, SECRET)] as const)))
}

/** What does not come about is told, and the account is drawn up all the same. */
async function overdue (diary: Diary, promised: Promise<void>): Promise<void> {
  await promised.catch((error: unknown) => { diary.complain((error as Error).message) })
}

function readArguments (): { readonly help: boolean, readonly values: Values } {
  try {
    const { values: { help, quick: quickly } } = parseArgs({ options: { quick: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } } })
    return { help, values: quickly ? quick : chart }
  } catch (error) {
    process.stderr.write(`rehearse: ${(error as Error).message.split('\n', 1)[0]}\n`)
    process.exit(1)
  }
}
