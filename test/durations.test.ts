import { Redis, type Cluster } from 'ioredis'
import t, { type Test } from 'tap'
import { MemoryDurations, RedisDurations, type DurationStore, type RedisHashClient } from '../src/publisher/durations.js'
import { TestRedis } from './helpers/redis.js'

const DAY_MS = 24 * 60 * 60 * 1_000
const PREFIX = 'realtime-fanout:durations:'
const ODD_NAMES = [' ', 'two words', 'a\nb', '__proto__', 'constructor', '{tag}', 'a:b:*', 'Rüstung 🛠', '\0', 'x'.repeat(2_000)]

t.test('in memory', async (t) => {
  await keepsTheContract(t, () => new MemoryDurations())

  t.test('of a thousand and one stages, the one recorded longest ago is forgotten', async (t) => {
    const store = new MemoryDurations()
    await store.record('first', { ms: 1 })
    await store.record('second', { ms: 2 })
    await store.record('first', { ms: 1 })
    for (let i = 0; i < 999; i++) await store.record(`stage ${i}`, { ms: 3 })
    t.strictSame([...(await store.recall(['first', 'second', 'stage 998'])).keys()], ['first', 'stage 998'])
  })
})

t.test('in Redis', async (t) => {
  const redis = await TestRedis.start(t)
  const client = connect(t, redis)
  let stores = 0
  await keepsTheContract(t, () => new RedisDurations(client, { keyPrefix: `store ${stores++}:` }))

  t.test('a stage is a hash of its name, which expires thirty days after it was recorded last', async (t) => {
    const store = new RedisDurations(client)
    await store.record('parse', { ms: 12.3456, items: 4 })
    t.equal(await client.type(`${PREFIX}parse`), 'hash')
    t.strictSame(Object.values(await client.hgetall(`${PREFIX}parse`)), ['12.346 4.000'])
    const expiresAfter = await client.pttl(`${PREFIX}parse`)
    t.ok(expiresAfter > 29 * DAY_MS && expiresAfter <= 30 * DAY_MS, String(expiresAfter))
    await client.pexpire(`${PREFIX}parse`, 60_000)
    await store.record('parse', { ms: 12 })
    t.ok(await client.pttl(`${PREFIX}parse`) > 29 * DAY_MS)
  })

  t.test('other processes know it, too', async (t) => {
    await new RedisDurations(client).record('shared', { ms: 5 })
    t.strictSame(await new RedisDurations(connect(t, redis)).recall(['shared']), new Map([['shared', { ms: 5 }]]))
  })

  t.test('rubbish is no run, and gives way to runs', async (t) => {
    const store = new RedisDurations(client)
    const rubbish = ['', 'soon', '-5', 'NaN', 'Infinity', '1e5', '0x10', '5 ', '5 x', '5 -1', '5 6 7', '9'.repeat(400), '{"ms":5}', '5\n', '\0']
    await client.hset(`${PREFIX}rubbish`, Object.fromEntries([...rubbish.entries(), ['ms', '5'], ['15', '5']]))
    t.equal((await store.recall(['rubbish'])).size, 0)
    await client.hset(`${PREFIX}rubbish`, '3', '7 0')
    t.strictSame((await store.recall(['rubbish'])).get('rubbish'), { ms: 7 }, 'no items are none that were told')
    for (let i = 0; i < 30; i++) await store.record('rubbish', { ms: 9 })
    t.strictSame((await store.recall(['rubbish'])).get('rubbish'), { ms: 9 })
  })

  t.test('a key that is somebody else\'s is left as it is', async (t) => {
    const store = new RedisDurations(client)
    await client.set(`${PREFIX}taken`, 'value')
    await t.rejects(store.recall(['taken']), /WRONGTYPE/)
    await t.rejects(store.record('taken', { ms: 5 }), /WRONGTYPE/)
    t.equal(await client.pttl(`${PREFIX}taken`), -1, 'it does not expire')
  })

  t.test('many that record at the same time leave whole runs, and no more than fifteen', async (t) => {
    const recorders = Array.from({ length: 4 }, () => new RedisDurations(connect(t, redis)))
    await Promise.all(Array.from({ length: 400 }, async (_, i) => recorders[i % 4]!.record('busy', { ms: 100 + i % 4, items: 10 })))
    const runs = Object.values(await client.hgetall(`${PREFIX}busy`))
    t.equal(runs.length, 15)
    t.ok(runs.every((run) => /^10[0-3]\.000 10\.000$/.test(run)), runs.join())
    const { ms } = (await recorders[0]!.recall(['busy'])).get('busy')!
    t.ok(ms >= 100 && ms <= 103, String(ms))
  })

  t.test('the clients of ioredis will do', async (t) => {
    const accepted: [(client: Redis) => RedisHashClient, (client: Cluster) => RedisHashClient] = [(client) => client, (client) => client]
    t.equal(accepted[0](client), client)
  })

  t.test('when Redis cannot be reached, that is told', async (t) => {
    const gone = await TestRedis.absent(t)
    const store = new RedisDurations(connect(t, gone))
    await t.rejects(store.recall(['parse']))
    await t.rejects(store.record('parse', { ms: 5 }))
  })
})

/** What every store does. */
async function keepsTheContract (t: Test, create: () => DurationStore): Promise<void> {
  const recalled = async (store: DurationStore, stage: string) => (await store.recall([stage])).get(stage)

  t.test('of what was never recorded, nothing is known', async (t) => {
    const store = create()
    t.equal((await store.recall([])).size, 0)
    await store.record('parse', { ms: 5 })
    t.strictSame(await store.recall(['parse', 'upload', 'parse']), new Map([['parse', { ms: 5 }]]))
  })

  t.test('what is usual is the median, so one run that hung is none', async (t) => {
    const store = create()
    // In Redis, a run may replace any other: so many, that some stay.
    for (let i = 0; i < 12; i++) await store.record('hung', { ms: 200 })
    await store.record('hung', { ms: 3_600_000 })
    t.equal((await recalled(store, 'hung'))!.ms, 200)
    const sums = new Set<number>()
    for (let i = 0; i < 20 && !sums.has(15); i++) {
      await store.record(`even ${i}`, { ms: 10 })
      await store.record(`even ${i}`, { ms: 20 })
      sums.add((await recalled(store, `even ${i}`))!.ms)
    }
    t.ok(sums.has(15), 'of two, the mean')
  })

  t.test('per item, by the runs that told their items', async (t) => {
    const store = create()
    for (let i = 0; i < 5; i++) await store.record('lines', { ms: 1_000, items: 10 })
    t.strictSame(await recalled(store, 'lines'), { ms: 1_000, msPerItem: 100 })
    for (let i = 0; i < 300; i++) await store.record('lines', { ms: 500 })
    t.strictSame(await recalled(store, 'lines'), { ms: 500 }, 'none of the runs that are kept told')
  })

  t.test('what was long ago is forgotten', async (t) => {
    const store = create()
    for (let i = 0; i < 30; i++) await store.record('slow once', { ms: 9_000 })
    for (let i = 0; i < 300; i++) await store.record('slow once', { ms: 100 })
    t.strictSame(await recalled(store, 'slow once'), { ms: 100 })
  })

  t.test('what is no duration is ignored, and what is no number of items', async (t) => {
    const store = create()
    for (const ms of [NaN, Infinity, -1, 1e300]) await store.record('odd', { ms })
    t.equal(await recalled(store, 'odd'), undefined)
    for (const items of [NaN, Infinity, -1, 0, 1e300]) await store.record('odd', { ms: 4, items })
    t.strictSame(await recalled(store, 'odd'), { ms: 4 })
    await store.record('at once', { ms: 0, items: 3 })
    t.strictSame(await recalled(store, 'at once'), { ms: 0, msPerItem: 0 })
  })

  t.test('any name will do', async (t) => {
    const store = create()
    for (const [i, name] of ODD_NAMES.entries()) await store.record(name, { ms: i + 1 })
    t.strictSame(await store.recall(ODD_NAMES), new Map(ODD_NAMES.map((name, i) => [name, { ms: i + 1 }])))
  })
}

function connect (t: Pick<Test, 'teardown'>, redis: TestRedis): Redis {
  const client = new Redis(redis.url, { maxRetriesPerRequest: 0 })
  client.on('error', () => { /* Told by the command that fails. */ })
  t.teardown(() => { client.disconnect() })
  return client
}
