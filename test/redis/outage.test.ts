import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { Proxy } from '../helpers/proxy.js'
import { TestRedis } from '../helpers/redis.js'
import { Service, progress, type LogLine } from '../helpers/service.js'
import { Stream } from '../helpers/stream.js'

const FOUND_WITHIN_MS = 10_000

interface Outage {
  readonly redis: TestRedis
  readonly proxy: Proxy
  readonly service: Service
}

/**
 * Breaks the way to Redis in one way, sees that it is found in time, and that streams outlive it: they stay open, new
 * ones are accepted, and both are told of the gap, and get what is published once it is over.
 */
function outage (name: string, breakIt: (outage: Outage) => Promise<void> | void, mendIt: (outage: Outage) => Promise<void> | void = () => {}) {
  t.test(name, async (t: Test) => {
    const redis = await TestRedis.start(t)
    const proxy = await Proxy.start(t, redis.port)
    const service = await Service.start(t, { REDIS_URL: `redis://127.0.0.1:${proxy.port}`, HEARTBEAT_MS: '500' })
    const lost = ({ msg }: LogLine) => msg === 'subscription lost'
    await service.log.first(({ msg }) => msg === 'subscribed')
    const before = await Stream.open(t, service.streamUrl('TEST'))

    t.notOk(service.log.all.some(lost))
    const brokenAt = Date.now()
    const found = service.log.next(lost)
    await breakIt({ redis, proxy, service })
    const { time } = await found as LogLine & { time: number }
    t.ok(time - brokenAt < FOUND_WITHIN_MS, `found after ${time - brokenAt} ms`)

    const during = await Stream.open(t, service.streamUrl('TEST'))
    for (const { comments } of [before, during]) await comments.next()
    await mendIt({ redis, proxy, service })
    await service.log.first(({ msg }) => msg === 'subscribed again')
    await redis.cli('PUBLISH', 'merchant:TEST:progress', JSON.stringify(progress(1)))
    for (const stream of [before, during]) {
      const [gap, event] = (await stream.published(2)).map((data) => JSON.parse(data) as { from: number, to: number })
      t.match(gap, { type: 'gap', reason: 'redis_outage' })
      t.ok(gap!.from <= brokenAt && brokenAt <= gap!.to, 'the gap begins no later than the outage')
      t.match(event, { type: 'progress', progress: 1 })
    }
    t.equal(await service.metric('redis_connected'), 1)
    t.ok(await service.metric('redis_reconnects_total') >= 1)
    t.ok(await service.metric('redis_probe_seconds_count') >= 2)
    t.equal(await service.metric('connections'), 2)
  })
}

outage('Redis is killed, and comes back', ({ redis }) => redis.kill(), ({ redis }) => redis.start())
outage('Redis is frozen, and thaws', ({ redis }) => { redis.freeze() }, ({ redis }) => { redis.thaw() })
outage('CLIENT KILL TYPE pubsub', async ({ redis }) => { await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub') })
outage('every connection is half-open: the network swallows all, and tells neither side', ({ proxy }) => { proxy.cut() })

outage("the subscription's connection is half-open, and the other is not", async ({ redis, proxy }) => { proxy.cut(await connectionOf(redis, 'subscriber')) })

outage('the connection lives and the subscription delivers nothing', async ({ redis, proxy, service }) => {
  proxy.deafen(await connectionOf(redis, 'subscriber'))
  const { why } = await service.log.next(({ msg }) => msg === 'subscription lost')
  t.equal(why, 'probes lost')
})

outage('Redis becomes a replica, and is made a primary again', async ({ redis, service }) => {
  const other = await TestRedis.start(t)
  await redis.cli('REPLICAOF', '127.0.0.1', String(other.port))
  await service.log.first(({ problem }) => /is a replica/.test(String(problem)))
}, async ({ redis }) => { await redis.cli('REPLICAOF', 'NO', 'ONE') })

/** What CLIENT LIST says of the service's connection for this. */
async function connectionOf (redis: TestRedis, role: 'subscriber' | 'publisher'): Promise<string> {
  const line = (await redis.cli('CLIENT', 'LIST')).split('\n').find((line) => line.includes(`name=realtime-fanout:${role} `))
  return / addr=(\S+) /.exec(line!)![1]!
}

t.test('a half-open connection for publishing is replaced, and the subscription is none the worse', async (t) => {
  const redis = await TestRedis.start(t)
  const proxy = await Proxy.start(t, redis.port)
  const service = await Service.start(t, { REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
  await service.log.first(({ msg }) => msg === 'subscribed')
  const before = await connectionOf(redis, 'subscriber')
  proxy.cut(await connectionOf(redis, 'publisher'))
  while ((await service.publish('TEST', progress(1))).status !== 202) {
    // Refused until the dead connection is found; each refusal takes as long as finding it does.
  }
  t.equal(await connectionOf(redis, 'subscriber'), before)
  t.notOk(service.log.all.some(({ msg }) => msg === 'subscription lost'))
})

t.test('that nothing can be published is no reason to give up a subscription that delivers', async (t) => {
  const redis = await TestRedis.start(t)
  const service = await Service.start(t, { REDIS_URL: redis.url })
  await service.log.first(({ msg }) => msg === 'subscribed')
  const before = await connectionOf(redis, 'subscriber')
  await redis.cli('ACL', 'SETUSER', 'default', '-info')
  const probes = await service.metric('redis_probe_seconds_count')
  while (await service.metric('redis_probe_seconds_count') < probes + 2) await service.log.first(({ msg }) => msg === 'subscribed')
  await redis.cli('ACL', 'SETUSER', 'default', '-publish')
  // A line at most every 5 s, a probe every 1.5: by the second line, more have failed than would be lost ones.
  await service.log.count(2, ({ role, problem }) => role === 'publisher' && /NOPERM/.test(String(problem)))
  t.equal(await connectionOf(redis, 'subscriber'), before)
  t.notOk(service.log.all.some(({ msg }) => msg === 'subscription lost'))
  await redis.cli('ACL', 'SETUSER', 'default', '+publish')
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  await redis.cli('PUBLISH', 'merchant:TEST:progress', JSON.stringify(progress(1)))
  await stream.published(1)
})

t.test("whatever anybody publishes on the service's own probe channel does no harm", async (t) => {
  const redis = await TestRedis.start(t)
  const service = await Service.start(t, { REDIS_URL: redis.url })
  await service.log.first(({ msg }) => msg === 'subscribed')
  const eavesdropper = new Redis(redis.url)
  t.teardown(() => { eavesdropper.disconnect() })
  const [channel] = await new Promise<[string]>((resolve) => {
    eavesdropper.on('pmessage', (_pattern, channel) => { resolve([channel]) })
    void eavesdropper.psubscribe('merchant:_probe:*')
  })
  for (const payload of ['hello', '', 'NaN', '-1e300', '1e300', 'Infinity', '{}', '0']) await redis.cli('PUBLISH', channel, payload)
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  await redis.cli('PUBLISH', 'merchant:TEST:progress', JSON.stringify(progress(1)))
  await stream.published(1)
  const sum = await service.metric('redis_probe_seconds_sum')
  t.ok(sum >= 0 && sum < 60, `${sum} s`)
  t.equal(await service.metric('messages_dropped_total{reason="bad_channel"}'), 0)
})

t.test('a subscription that is refused when it is made again is asked for until it is granted', async (t) => {
  const redis = await TestRedis.start(t)
  const service = await Service.start(t, { REDIS_URL: redis.url })
  await service.log.first(({ msg }) => msg === 'subscribed')
  await redis.cli('ACL', 'SETUSER', 'default', 'resetchannels')
  await service.log.first(({ msg }) => msg === 'subscription lost')
  await service.log.first(({ problem }) => /NOPERM/.test(String(problem)))
  await redis.cli('ACL', 'SETUSER', 'default', 'allchannels')
  await service.log.first(({ msg }) => msg === 'subscribed again')
})

t.test('publishing while Redis is frozen is refused, not kept waiting until it thaws', async (t) => {
  const redis = await TestRedis.start(t)
  const service = await Service.start(t, { REDIS_URL: redis.url })
  await service.log.first(({ msg }) => msg === 'subscribed')
  redis.freeze()
  const answer = await service.publish('TEST', progress(1))
  t.equal(answer.status, 503)
  redis.thaw()
})
