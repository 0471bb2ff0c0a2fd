import { EventSource } from 'eventsource'
import t, { type Test } from 'tap'
import { paced } from '../src/fanout/drain.js'
import { Arrivals } from './helpers/arrivals.js'
import { Balancer } from './helpers/balancer.js'
import { Service, progress, type LogLine } from './helpers/service.js'
import { TestRedis } from './helpers/redis.js'
import { Stream } from './helpers/stream.js'

const isClosed = ({ msg }: LogLine) => msg === 'stream closed'

t.test('after SIGTERM it goes on as before, but for not being ready, until load balancers have noticed', async (t) => {
  const service = await Service.start(t, { DRAIN_DELAY_MS: '600000', OPS_PORT: '0' })
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  service.signal('SIGTERM')
  await service.log.first(({ msg }) => msg === 'ending')
  const ready = await fetch(`${service.opsUrl}/readyz`)
  t.equal(ready.status, 503)
  t.strictSame(await ready.json(), { status: 'unready', reason: 'draining' })
  t.equal((await fetch(`${service.opsUrl}/healthz`)).status, 200)
  const late = await Stream.open(t, service.streamUrl('TEST'))
  t.equal((await service.publish('TEST', progress(1))).status, 202)
  for (const each of [stream, late]) t.equal((await each.published(1)).length, 1)
  service.signal('SIGTERM')
  await Promise.all([stream.closed, late.closed])
  for (const { events } of [stream, late]) t.match(events.all.at(-1), { event: 'close', data: '{"type":"close","reason":"draining","reconnect":true}' })
  t.strictSame(await service.exit, { code: 0, signal: null })
})

t.test('a drain that takes longer than Fastify gives a plugin ends well', async (t) => {
  const service = await Service.start(t, { DRAIN_DELAY_MS: '10500' })
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  service.signal('SIGTERM')
  await stream.closed
  t.equal(stream.events.all.at(-1)?.event, 'close')
  t.strictSame(await service.exit, { code: 0, signal: null })
  t.notOk(service.log.all.some(({ level }) => level >= 50))
})

t.test('while it drains', async (t) => {
  const service = await Service.start(t, { DRAIN_WINDOW_MS: '20000', RETRY_MS: '60000' })
  const streams = await Promise.all(Array.from({ length: 4 }, () => Stream.open(t, service.streamUrl('TEST'))))
  service.signal('SIGTERM')
  await service.log.first(isClosed)
  t.test('a new stream is told to come back at once, in a way that EventSource survives', async (t) => {
    const late = await Stream.request(t, service.streamUrl('TEST'))
    t.equal(late.status, 200)
    await late.closed
    t.match(late.events.all, [{ event: 'close', data: '{"type":"close","reason":"draining","reconnect":true}' }])
    t.ok(late.retries[0]! <= 750)
    t.equal(await service.metric('connections_rejected_total{reason="draining"}'), 1)
  })
  t.test('publishers are sent elsewhere', async (t) => {
    const answer = await service.publish('TEST', progress(1))
    t.equal(answer.status, 503)
    t.equal(answer.headers.get('connection'), 'close')
    t.ok(answer.headers.get('retry-after'))
    t.match(await answer.json(), { code: 'RTF_DRAINING' })
  })
  t.test('health and metrics are served', async (t) => {
    t.equal((await fetch(`${service.url}/healthz`)).status, 200)
    t.equal((await fetch(`${service.url}/readyz`)).status, 503)
  })
  t.test('those who are still there are not touched', async (t) => {
    t.equal(service.log.all.filter(isClosed).length, 1)
    t.equal(streams.filter(({ events }) => events.all.length === 1).length, 3)
  })
  await t.test('a second signal ends the rest', async (t) => {
    service.signal('SIGTERM')
    await Promise.all(streams.map(({ closed }) => closed))
    t.strictSame(await service.exit, { code: 0, signal: null })
  })
})

/** A browser's way to listen: it comes back by itself. */
class Follower {
  readonly opened = new Arrivals<number>()
  readonly closes = new Arrivals<string>()

  constructor (t: Test, url: string) {
    const source = new EventSource(url)
    t.teardown(() => { source.close() })
    source.addEventListener('message', () => { this.opened.add(performance.now()) })
    source.addEventListener('close', ({ data }: { data: string }) => { this.closes.add((JSON.parse(data) as { reason: string }).reason) })
  }
}

t.test('2,000 clients of two instances move to one when the other is ended, over the window, and nobody else notices', async (t) => {
  const WINDOW_MS = 5_000
  const redis = await TestRedis.start(t)
  const instances = await Promise.all([1, 2].map(() => Service.start(t, {
    REDIS_URL: redis.url, DRAIN_DELAY_MS: '2000', DRAIN_WINDOW_MS: String(WINDOW_MS), RETRY_MS: '1000', HEARTBEAT_MS: '60000',
  })))
  await Promise.all(instances.map(({ log }) => log.first(({ msg }) => msg === 'subscribed')))
  const balancer = await Balancer.start(t, instances)
  const followers = Array.from({ length: 2_000 }, (_, i) => new Follower(t, `${balancer.url}/api/realtime/events?merchantId=m${i % 100}`))
  await Promise.all(followers.map(({ opened }) => opened.count(1)))
  const [leaving, staying] = instances as [Service, Service]
  const share = await leaving.metric('connections')
  t.equal(share, 1_000)

  leaving.signal('SIGTERM')
  await leaving.log.count(share, isClosed)
  t.strictSame(await leaving.exit, { code: 0, signal: null })
  await staying.log.count(2_000, ({ msg }) => msg === 'stream opened')
  const moved = followers.filter(({ closes }) => closes.all.length > 0)
  await Promise.all(moved.map(({ opened }) => opened.count(2)))
  t.equal(moved.length, share)
  t.ok(moved.every(({ closes }) => closes.all.length === 1 && closes.all[0] === 'draining'), 'each was told once, and met no instance that was ending')
  t.equal(await staying.metric('connections'), 2_000, 'all are on the other one')
  t.equal(await staying.metric('connections_opened_total'), 2_000)
  t.equal(staying.log.all.filter(isClosed).length, 0, 'whose clients were not touched')

  const buckets = new Map<number, number>()
  for (const { time } of leaving.log.all.filter(isClosed)) {
    const bucket = Math.floor(Number(time) / 100)
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1)
  }
  const fair = share * 100 / WINDOW_MS
  const fullest = Math.max(...buckets.values())
  t.ok(fullest <= 3 * fair, `at most ${fullest} in 100 ms, ${fair} being a fair share`)
  t.ok(buckets.size >= WINDOW_MS / 100 * 0.8, `${buckets.size} of ${WINDOW_MS / 100} such buckets had some`)
})

t.test('clients that come to an instance that is draining are not counted as too many attempts, which would silence them', async (t) => {
  const service = await Service.start(t, { DRAIN_WINDOW_MS: '600000', CONNECT_RATE_PER_MINUTE: '3', RETRY_MS: '10' })
  const streams = await Promise.all([1, 2].map(() => Stream.open(t, service.streamUrl('TEST'))))
  service.signal('SIGTERM')
  await Promise.race(streams.map(({ closed }) => closed))
  for (let i = 0; i < 5; i++) t.equal((await Stream.request(t, service.streamUrl('TEST'))).status, 200)
})

t.test('the pace', async (t) => {
  const endless = new AbortController().signal
  const busy = (ms: number) => { for (const until = performance.now() + ms; performance.now() < until;) { /* as if it were work */ } }

  t.test('is kept while the event loop is busy most of the time', async (t) => {
    const calls: number[] = []
    const startedAt = performance.now()
    const working = setInterval(() => { busy(60) }, 1)
    await paced(Array.from({ length: 1_000 }, (_, i) => i), { windowMs: 1_500, hurry: endless }, (i) => { calls.push(i) })
    clearInterval(working)
    const took = performance.now() - startedAt
    t.strictSame(calls, Array.from({ length: 1_000 }, (_, i) => i))
    t.ok(took < 3 * 1_500, `${took} ms`)
  })

  t.test('is given up when the window has been over for long', async (t) => {
    const calls: number[] = []
    await paced(Array.from({ length: 100_000 }, (_, i) => i), { windowMs: 100, hurry: endless }, (i) => {
      calls.push(i)
      if (calls.length === 1_000) busy(3_500)
    })
    t.equal(calls.length, 100_000)
  })
})

t.test('a stream that has lived long enough ends, to come back maybe elsewhere', async (t) => {
  const service = await Service.start(t, { MAX_CONNECTION_AGE_S: '2', RETRY_MS: '60000' })
  const openedAt = performance.now()
  const streams = await Promise.all(Array.from({ length: 50 }, async () => {
    const stream = await Stream.open(t, service.streamUrl('TEST'))
    return { stream, closed: stream.closed.then(() => performance.now() - openedAt) }
  }))
  const lived = await Promise.all(streams.map(({ closed }) => closed))
  for (const { stream: { events, retries } } of streams) {
    t.match(events.all.at(-1), { event: 'close', data: '{"type":"close","reason":"max_age","reconnect":true}' })
    t.ok(retries[1]! <= 1_500, 'it need not wait for long')
  }
  t.equal(new Set(streams.map(({ stream: { retries } }) => retries[1])).size > 25, true, 'nor do all wait for as long')
  t.ok(Math.min(...lived) >= 1_800, 'not before its time, less a tenth')
  t.ok(Math.max(...lived) - Math.min(...lived) >= 200, 'not all at once')
  t.equal(await service.metric('connections_closed_total{reason="max_age"}'), 50)
  t.equal(await service.metric('connections'), 0)
})

t.test('a client whose time is up and that does not read that is cut off', async (t) => {
  const service = await Service.start(t, { MAX_CONNECTION_AGE_S: '2', MAX_BUFFERED_BYTES: '100000000' })
  const deaf = await Stream.open(t, service.streamUrl('TEST'))
  deaf.response.pause()
  const batch = Array(100).fill(progress(1, { message: 'x'.repeat(60_000) }))
  while (await service.metric('write_buffer_bytes') === 0) await service.publish('TEST', batch)
  await service.log.first(isClosed)
  t.equal(await service.metric('connections_closed_total{reason="max_age"}'), 1)
})
