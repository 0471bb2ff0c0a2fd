import { once } from 'node:events'
import { setTimeout as passed } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { BrokerUnavailable, type Broker, type Receiver } from '../src/broker/broker.js'
import { MemoryBroker } from '../src/broker/memory.js'
import { RedisBroker } from '../src/broker/redis.js'
import { noMetrics } from '../src/metrics.js'
import { Arrivals } from './helpers/arrivals.js'
import { Proxy } from './helpers/proxy.js'
import { TestRedis } from './helpers/redis.js'

type Received = readonly [channel: string, payload: string]

const deaf: Receiver = { receive () {}, subscribed () {} }

/** Started, and receiving. */
async function start (t: Test, broker: Broker): Promise<Arrivals<Received>> {
  const received = new Arrivals<Received>()
  t.teardown(() => broker.close())
  broker.start({ ...deaf, receive (channel, payload) { received.add([channel, payload.toString()]) } })
  // Nothing tells that a subscription stands but what comes in by it.
  for (;;) {
    const first = received.next()
    try {
      await broker.publish([{ channel: 'merchant:_ready:x', payload: '{}' }])
    } catch (error) {
      if (!(error instanceof BrokerUnavailable)) throw error
    }
    const came = await Promise.race([first.then(() => true), once(AbortSignal.timeout(50), 'abort').then(() => false)])
    if (came) break
  }
  received.all.length = 0
  return received
}

/** What every broker promises (src/broker/broker.ts), whichever it is. */
function contract (name: string, create: (t: Test) => Promise<{ broker: Broker, other: Broker }>) {
  t.test(`${name} keeps the contract of a broker`, async (t) => {
    const { broker, other } = await create(t)
    t.equal(broker.name, name)
    t.match(broker.subscription, { state: 'absent', first: true })
    const refusesAll = async (t: Test, when: string) => {
      const asked: Array<Promise<unknown>> = [broker.publish([{ channel: 'merchant:a:b', payload: '{}' }]), broker.put('k', 'v', 1_000), broker.take('k')]
      const told = await Promise.allSettled(asked)
      for (const each of told) t.match(each, { status: 'rejected', reason: { name: 'BrokerUnavailable' } }, when)
    }
    await refusesAll(t, 'before it is started')

    const received = await start(t, broker)
    t.equal(broker.subscription.state, 'standing')
    t.ok(broker.subscription.since <= performance.now())

    t.test('what is published is received, in order, never within the call', async (t) => {
      const publications = Array.from({ length: 200 }, (_, i) => ({ channel: `merchant:m${i % 3}:t:${i}`, payload: `{"n":${i},"é":"🛒\u2028"}` }))
      const before = received.all.length
      const done = broker.publish(publications)
      t.equal(received.all.length, before)
      await done
      await received.count(before + 200)
      t.strictSame(received.all.slice(before), publications.map(({ channel, payload }) => [channel, payload]))
    })

    t.test('publishing nothing is no error', async () => broker.publish([]))

    t.test('a value is given out once, and not after its time', async (t) => {
      t.equal(await broker.take('nothing'), undefined)
      await Promise.all([broker.put('one', '{"é":"🛒"}', 60_000), broker.put('two', '', 60_000), broker.put('brief', 'gone', 1)])
      const taken = await Promise.all(Array.from({ length: 20 }, () => broker.take('one')))
      t.strictSame(taken.filter((value) => value !== undefined), ['{"é":"🛒"}'])
      t.equal(await broker.take('one'), undefined)
      t.equal(await broker.take('two'), '')
      await passed(10)
      t.equal(await broker.take('brief'), undefined)
      await broker.put('again', 'first', 60_000)
      await broker.put('again', 'second', 60_000)
      t.equal(await broker.take('again'), 'second')
    })

    t.test('once closed, it receives nothing and refuses to publish and to keep', async (t) => {
      const elsewhere = await start(t, other)
      const before = received.all.length
      await broker.publish([{ channel: 'merchant:a:last', payload: '{}' }])
      const closed = broker.close()
      t.match(broker.subscription, { state: 'absent', first: false })
      await refusesAll(t, 'once closed')
      await closed
      await other.publish([{ channel: 'merchant:a:later', payload: '{}' }])
      await elsewhere.first(([channel]) => channel === 'merchant:a:later')
      t.notOk(received.all.slice(before).some(([channel]) => channel === 'merchant:a:later'))
      await broker.close()
    })
  })
}

const log = pino({ level: 'silent' })
contract('memory', async () => ({ broker: new MemoryBroker(), other: new MemoryBroker() }))
contract('redis', async (t) => {
  const redis = await TestRedis.start(t)
  const create = () => new RedisBroker({ url: redis.url, channelPrefix: 'merchant', metrics: noMetrics, log })
  return { broker: create(), other: create() }
})

t.test('a MemoryBroker keeps a bounded number of values; those that have expired make room', async (t) => {
  const broker = new MemoryBroker()
  broker.start(deaf)
  t.teardown(() => broker.close())
  for (let i = 0; i < 5_000; i++) await broker.put(`brief ${i}`, 'v', 1)
  for (let i = 0; i < 5_000; i++) await broker.put(`long ${i}`, 'v', 60_000)
  await passed(10)
  for (let i = 5_000; i < 10_000; i++) await broker.put(`long ${i}`, 'v', 60_000)
  await t.rejects(broker.put('one more', 'v', 60_000), { name: 'BrokerUnavailable' })
  t.equal(await broker.take('long 0'), 'v')
  await broker.put('one more', 'v', 60_000)
})

t.test('two RedisBrokers on one Redis give a value out once between them, and keep it under their prefix', async (t) => {
  const redis = await TestRedis.start(t)
  const create = (channelPrefix: string) => new RedisBroker({ url: redis.url, channelPrefix, metrics: noMetrics, log })
  const [one, two, foreign] = [create('merchant'), create('merchant'), create('staging')]
  await start(t, one)
  await start(t, two)
  t.teardown(() => foreign.close())
  foreign.start(deaf)
  await one.put('k', 'v', 60_000)
  t.equal(await redis.cli('GET', 'merchant:k'), 'v')
  t.ok(Number(await redis.cli('PTTL', 'merchant:k')) > 50_000)
  while (foreign.subscription.state === 'absent') await passed(10)
  t.equal(await foreign.take('k'), undefined)
  const taken = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : two).take('k')))
  t.strictSame(taken.filter((value) => value !== undefined), ['v'])
})

t.test('a RedisBroker that is refused what it needs', async (t) => {
  const redis = await TestRedis.start(t)

  t.test('has a subscription refused: it is absent, tries again with back-off, and stands once it may', async (t) => {
    await redis.cli('ACL', 'SETUSER', 'narrow', 'on', '>secret-password', 'resetchannels', '&other:*', '+@all')
    const lines = new Arrivals<string>()
    const broker = new RedisBroker({
      url: `redis://narrow:secret-password@127.0.0.1:${redis.port}`,
      channelPrefix: 'merchant',
      metrics: noMetrics,
      log: pino({ level: 'debug' }, { write: (line) => { lines.add(line) } }),
    })
    t.teardown(() => broker.close())
    broker.start(deaf)
    await lines.first((line) => line.includes('NOPERM'))
    const refusedAt = performance.now()
    // Redis counts refusals of one kind in one entry of its log.
    while (Number((await redis.cli('ACL', 'LOG', '1')).match(/^count\n(\d+)/m)![1]) < 5) await once(AbortSignal.timeout(50), 'abort')
    t.ok(performance.now() - refusedAt > 1_000, 'five refusals take at least 100 + 200 + 400 + 800 ms')
    t.match(broker.subscription, { state: 'absent', first: true })
    await redis.cli('ACL', 'SETUSER', 'narrow', 'resetchannels', '&merchant:*:*')
    await lines.first((line) => line.includes('"subscribed"'))
    t.equal(broker.subscription.state, 'standing')
    t.notMatch(lines.all.join(''), 'secret-password')
  })

  t.test('has its password refused: the log says so, and not which password', async (t) => {
    const lines = new Arrivals<string>()
    const broker = new RedisBroker({
      url: `redis://narrow:wrong-password@127.0.0.1:${redis.port}`,
      channelPrefix: 'merchant',
      metrics: noMetrics,
      log: pino({ level: 'trace' }, { write: (line) => { lines.add(line) } }),
    })
    t.teardown(() => broker.close())
    broker.start(deaf)
    await lines.first((line) => line.includes('WRONGPASS'))
    t.notMatch(lines.all.join(''), 'wrong-password')
  })

  t.test('may do no more than the README says: it works', async (t) => {
    await redis.cli('ACL', 'SETUSER', 'least', 'on', '>secret', '~merchant:_ticket:*', 'resetchannels', '&merchant:*:*', '-@all', '+psubscribe', '+punsubscribe', '+ping', '+info', '+publish', '+set', '+getdel', '+client|setname')
    const broker = new RedisBroker({ url: `redis://least:secret@127.0.0.1:${redis.port}`, channelPrefix: 'merchant', metrics: noMetrics, log })
    const received = await start(t, broker)
    await broker.publish([{ channel: 'merchant:a:b', payload: '{}' }])
    await received.first(([channel]) => channel === 'merchant:a:b')
    await broker.put('_ticket:a', 'v', 1_000)
    t.equal(await broker.take('_ticket:a'), 'v')
    t.notMatch(await redis.cli('ACL', 'LOG'), 'least', 'and tries no more')
    await t.rejects(broker.put('elsewhere', 'v', 1_000), { name: 'BrokerUnavailable', message: /NOPERM/ })
    await t.rejects(broker.take('elsewhere'), { name: 'BrokerUnavailable', message: /NOPERM/ })
    await t.rejects(broker.publish([{ channel: 'elsewhere', payload: '{}' }]), { name: 'BrokerUnavailable', message: /NOPERM/ })
  })
})

type Told = readonly [lostMs: number, sinceMs: number]

/** Takes what it is told of subscriptions. */
function listener (): Receiver & { readonly told: Arrivals<Told>, readonly received: Arrivals<string> } {
  const [told, received] = [new Arrivals<Told>(), new Arrivals<string>()]
  return {
    told,
    received,
    receive (channel) { received.add(channel) },
    subscribed (lostMs, sinceMs) { told.add([lostMs, sinceMs]) },
  }
}

t.test('a MemoryBroker is subscribed once it is started, and knows of all that is published', async (t) => {
  const broker = new MemoryBroker()
  t.teardown(() => broker.close())
  const receiver = listener()
  const before = performance.now()
  broker.start(receiver)
  const [[lostAt, sinceAt]] = receiver.told.all as [Told]
  t.ok(before <= lostAt && lostAt <= sinceAt && sinceAt <= performance.now())
  await broker.publish([{ channel: 'merchant:a:b', payload: '{}' }])
  await receiver.received.count(1)
  await passed(2)
  t.ok(broker.provenAt > sinceAt && broker.provenAt <= performance.now())
  t.equal(receiver.told.all.length, 1)
})

t.test('a RedisBroker says until when nothing was missed, and of each subscription since when it stands', async (t) => {
  const redis = await TestRedis.start(t)
  const proxy = await Proxy.start(t, redis.port)
  const probes = new Arrivals<number>()
  const lines = new Arrivals<string>()
  const createdAt = performance.now()
  const broker = new RedisBroker({
    url: `redis://127.0.0.1:${proxy.port}`,
    channelPrefix: 'merchant',
    metrics: { ...noMetrics, redisProbed: () => { probes.add(broker.provenAt) } },
    log: pino({ level: 'debug' }, { write: (line) => { lines.add(line) } }),
  })
  t.teardown(() => broker.close())
  const receiver = listener()
  broker.start(receiver)
  const [firstLostAt, firstSinceAt] = await receiver.told.first(() => true)
  t.ok(createdAt <= firstLostAt && firstLostAt <= firstSinceAt && firstSinceAt <= performance.now())

  await t.test('each probe that comes back moves that on, to when it was sent', async (t) => {
    const before = broker.provenAt
    t.ok(before >= firstSinceAt)
    await probes.next()
    const sentAfter = performance.now()
    await probes.next()
    const provenAt = await probes.next()
    t.ok(provenAt >= sentAfter && provenAt <= performance.now())
    const askedAt = performance.now()
    await redis.cli('PUBLISH', 'merchant:a:b', '{}')
    await receiver.received.first((channel) => channel === 'merchant:a:b')
    t.ok(broker.provenAt <= askedAt, 'and that a message came in does not')
    t.equal(receiver.told.all.length, 1, 'it is told of a subscription once')
  })

  const lose = async (breakIt: () => Promise<void> | void) => {
    const lost = lines.next((line) => line.includes('subscription lost'))
    const told = receiver.told.next()
    await breakIt()
    const brokenAt = performance.now()
    await lost
    const lastKnownAt = broker.provenAt
    const noticedAt = performance.now()
    return { brokenAt, lastKnownAt, noticedAt, told: await told }
  }

  await t.test('it stands still while nothing comes in, and what is told of the next subscription begins there', async (t) => {
    const [address] = await redis.addressesOf('subscriber')
    const { brokenAt, lastKnownAt, noticedAt, told: [lostAt, sinceAt] } = await lose(() => { proxy.deafen(address!) })
    t.ok(lastKnownAt <= brokenAt)
    t.ok(noticedAt - brokenAt > 3_000, 'for long')
    t.equal(lostAt, lastKnownAt)
    t.ok(sinceAt >= noticedAt - 1)
    t.ok(broker.provenAt >= sinceAt)
    t.equal(receiver.told.all.length, 2)
  })

  await t.test('so it is when its connection ends', async (t) => {
    const { brokenAt, lastKnownAt, told: [lostAt, sinceAt] } = await lose(async () => { await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub') })
    t.ok(lostAt === lastKnownAt && lostAt <= brokenAt)
    t.ok(sinceAt >= lostAt && sinceAt <= performance.now())
    await redis.cli('PUBLISH', 'merchant:a:c', '{}')
    await receiver.received.first((channel) => channel === 'merchant:a:c')
    t.equal(receiver.told.all.length, 3, 'once each')
  })

  await t.test('so it is when Redis is frozen', async (t) => {
    const before = performance.now()
    const told = receiver.told.next()
    const lost = lines.next((line) => line.includes('subscription lost'))
    redis.freeze()
    const frozenAt = performance.now()
    await lost
    t.ok(broker.provenAt <= frozenAt)
    const lastKnownAt = broker.provenAt
    const thawedAt = performance.now()
    redis.thaw()
    const [lostAt, sinceAt] = await told
    t.ok(lostAt === lastKnownAt && lostAt <= frozenAt && before - lostAt < 5_000)
    t.ok(sinceAt >= thawedAt - 1)
  })
})
