import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { Arrivals } from '../helpers/arrivals.js'
import { Balancer } from '../helpers/balancer.js'
import { Recorder, idOf } from '../helpers/recorder.js'
import { TestRedis } from '../helpers/redis.js'
import { Service, type Environment } from '../helpers/service.js'
import { Page, skip, type PageEvent } from './chromium.js'

/*
 * What a browser's own EventSource makes of ids, and of those that come with heartbeats, is the half of resuming that is
 * not in the service's hands.
 */

const STREAM = '/api/realtime/events?merchantId=TEST'
const CHANNEL = 'merchant:TEST:numbers'
const HEARTBEAT_MS = 200
const ENVIRONMENT: Environment = { HEARTBEAT_MS: String(HEARTBEAT_MS), RETRY_MS: '300' }
/** What it is in production: a heartbeat, and the 5 s that instances may differ by (DESIGN §4). */
const READY_WARMUP_MS = String(HEARTBEAT_MS + 7_000)

const numbered = (n: number) => ({ type: 'numbered', n })
const parse = ({ data }: PageEvent) => JSON.parse(data) as { readonly n?: number, readonly type?: string, readonly reason?: string }
const isNumber = (n: number) => (event: PageEvent) => parse(event).n === n
const isGreeting = (event: PageEvent) => parse(event).type === 'connected'
const isHeartbeat = (block: string) => block.startsWith(': heartbeat ')

/** A page that listens to a service, or to whatever is at this port, over a wire that is being recorded. */
async function listener (t: Test, port: number): Promise<{ readonly page: Page, readonly recorder: Recorder }> {
  const recorder = await Recorder.start(t, port)
  const page = await Page.open(t, `${recorder.url}/healthz`)
  await page.listen(STREAM, 'numbered', 'gap', 'close')
  await page.events.first(isGreeting)
  return { page, recorder }
}

/** All that the page's EventSource dispatched: numbers as such, of all else what it is. */
function story ({ events }: Page): Array<number | string> {
  return events.all.map((event) => {
    const { n, type, reason } = parse(event)
    return n ?? (reason === undefined ? String(type) : `${type}: ${reason}`)
  })
}

/** That each request with which the page tried to come back had the last id that it had been sent; which is returned. */
function cameBackWithLastId (t: Test, recorder: Recorder): string | undefined {
  const [first, ...later] = recorder.about(STREAM)
  const lastId = first!.blocks.map(idOf).findLast((id) => id !== undefined)
  t.type(lastId, 'string', 'the page had been sent an id')
  t.ok(later.length > 0)
  for (const request of later) t.equal(request.header('Last-Event-ID'), lastId, 'it came back with the last id that it had been sent')
  return lastId
}

/** Events with the numbers from 1 on, published by way of Redis all the while, until they are ended. */
class Numbers {
  readonly published = new Arrivals<number>()
  readonly #ending = new AbortController()
  readonly #ended: Promise<void>

  constructor (t: Test, { url }: TestRedis) {
    const redis = new Redis(url)
    this.#ended = this.#publish(redis)
    t.teardown(async () => {
      await this.end()
      redis.disconnect()
    })
  }

  /** The last one, after which there will be no more. */
  async end (): Promise<number> {
    this.#ending.abort()
    await this.#ended
    return this.published.all.length
  }

  async #publish (redis: Redis): Promise<void> {
    for (let n = 1; !this.#ending.signal.aborted; n++) {
      await redis.publish(CHANNEL, JSON.stringify(numbered(n)))
      this.published.add(n)
      await new Promise((resolve) => { setTimeout(resolve, 10) })
    }
  }
}

/** Resolves once what is there is ready; asks at each of some events that come all the while. */
async function ready (url: string, event: () => Promise<unknown>): Promise<void> {
  while (!await fetch(`${url}/readyz`).then(({ ok }) => ok, () => false)) await event()
}

for (const [signal, farewells] of [['SIGTERM', ['close: draining']], ['SIGKILL', []]] as const) {
  t.test(`a page whose instance is ended with ${signal}, after another one has taken its place, misses nothing`, { skip }, async (t) => {
    const redis = await TestRedis.start(t)
    const env = { ...ENVIRONMENT, REDIS_URL: redis.url, DRAIN_DELAY_MS: '2000', DRAIN_WINDOW_MS: '1000' }
    const old = await Service.start(t, env)
    const balancer = await Balancer.start(t, [old])
    await ready(balancer.url, () => fetch(`${old.url}/healthz`))
    const { page, recorder } = await listener(t, balancer.port)
    const numbers = new Numbers(t, redis)

    const fresh = await Service.start(t, { ...env, READY_WARMUP_MS })
    balancer.add(fresh)
    await ready(fresh.url, () => numbers.published.next())
    old.signal(signal)
    await page.events.count(2, isGreeting)
    // Some that come live, too.
    await numbers.published.count(numbers.published.all.length + 10)
    const last = await numbers.end()
    await page.events.first(isNumber(last))

    const all = story(page)
    t.strictSame(all.filter((each) => typeof each === 'number'), Array.from({ length: last }, (_, i) => i + 1), 'it got every number once, in order')
    t.strictSame(all.filter((each) => typeof each === 'string'), ['connected', ...farewells, 'connected'], 'and was told of no gap')
    cameBackWithLastId(t, recorder)
    t.equal(fresh.log.all.filter(({ msg }) => msg === 'stream opened').length, 1, 'it is on the new instance')
    t.strictSame(await old.exit, signal === 'SIGKILL' ? { code: null, signal } : { code: 0, signal: null })
  })
}

t.test('an idle page comes back with the id of the last heartbeat', { skip }, async (t) => {
  /** Waits until some heartbeats have followed the last event; what went over the wire last, now that it is cut, is one. */
  async function cutWhenIdle (page: Page, recorder: Recorder, n: number, cut: () => Promise<void> | void): Promise<void> {
    await page.events.first(isNumber(n))
    const [stream] = recorder.about(STREAM)
    await stream!.count(stream!.blocks.filter(isHeartbeat).length + 3, isHeartbeat)
    await cut()
    recorder.cut()
  }

  function cameBackWithHeartbeat (t: Test, page: Page, recorder: Recorder, n: number): void {
    const id = cameBackWithLastId(t, recorder)
    t.equal(recorder.about(STREAM)[0]!.blocks.filter(isHeartbeat).map(idOf).at(-1), id, 'which is the one of the last heartbeat')
    t.not(page.events.all.find(isNumber(n))!.lastEventId, id, 'and not the one of the last event')
  }

  t.test('when its connection was cut, and gets what it missed', async (t) => {
    const service = await Service.start(t, ENVIRONMENT)
    const { page, recorder } = await listener(t, service.port)
    await service.publish('TEST', numbered(1))
    await cutWhenIdle(page, recorder, 1, () => {})
    await service.publish('TEST', numbered(2))
    recorder.mend(service.port)
    await page.events.count(2, isGreeting)
    await service.publish('TEST', numbered(3))
    await page.events.first(isNumber(3))
    t.strictSame(story(page), ['connected', 1, 'connected', 2, 3])
    cameBackWithHeartbeat(t, page, recorder, 1)
  })

  /** What is published after the new instance is there, and before the old one is killed. */
  const table: Array<[name: string, outcome: string, between: readonly number[]]> = [
    ['that was started after its last event', 'covered', []],
    ['that had its last event, too', 'exact', [2]],
  ]
  for (const [name, outcome, between] of table) {
    t.test(`when its instance was killed, to one ${name}, and gets what it missed`, async (t) => {
      const redis = await TestRedis.start(t)
      const publish = async (n: number) => redis.cli('PUBLISH', CHANNEL, JSON.stringify(numbered(n)))
      const env = { ...ENVIRONMENT, REDIS_URL: redis.url }
      const old = await Service.start(t, env)
      await old.log.first(({ msg }) => msg === 'subscribed')
      const { page, recorder } = await listener(t, old.port)
      await publish(1)
      await page.events.first(isNumber(1))

      const fresh = await Service.start(t, { ...env, READY_WARMUP_MS })
      await ready(fresh.url, () => recorder.about(STREAM)[0]!.answers.next())
      for (const n of between) await publish(n)
      const last = 1 + between.length
      await cutWhenIdle(page, recorder, last, () => {
        old.signal('SIGKILL')
        return old.exit.then(() => {})
      })
      await publish(last + 1)
      recorder.mend(fresh.port)
      await page.events.count(2, isGreeting)
      await publish(last + 2)
      await page.events.first(isNumber(last + 2))
      t.strictSame(story(page), ['connected', 1, ...between, 'connected', last + 1, last + 2])
      cameBackWithHeartbeat(t, page, recorder, last)
      t.equal(await fresh.metric(`resumes_total{outcome="${outcome}"}`), 1)
    })
  }
})
