import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import t, { type Test } from 'tap'
import { MerchantPublisher, type CommonOptions, type HttpTarget, type RedisPublishClient } from '../src/publisher/index.js'
import type { Arrivals } from './helpers/arrivals.js'
import { subscribeTo, type Heard } from './helpers/subscriber.js'
import { TestRedis } from './helpers/redis.js'
import { Service } from './helpers/service.js'

const KEY = 'k'.repeat(32)

type Target = { readonly redis: RedisPublishClient | string } | { readonly http: HttpTarget }

/** Each way to publish, to a real Redis at a URL; by HTTP, with a key. */
const transports: Record<string, (t: Test, url: string, key?: string) => Promise<Target>> = {
  'an ioredis client': async (t, url) => ({ redis: client(t, new Redis(url)) }),
  'an ioredis client that connects when it is asked': async (t, url) => ({ redis: client(t, new Redis(url, { lazyConnect: true })) }),
  'an ioredis 5 client': async (t, url) => ({ redis: client(t, new Redis5(url)) }),
  'a URL of Redis': async (_t, url) => ({ redis: url }),
  HTTP: async (t, url, key = KEY) => ({ http: { url: (await Service.start(t, { REDIS_URL: url, PUBLISH_KEY: KEY })).url, key } }),
}

function client<Client extends Redis | Redis5> (t: Test, client: Client): Client {
  client.on('error', () => { /* The publisher is told by what its commands answer. */ })
  t.teardown(() => { client.disconnect() })
  return client
}

function publisherTo (t: Test, target: Target, options: CommonOptions = {}): MerchantPublisher {
  const publisher = new MerchantPublisher({ onError: () => {}, ...options, ...target })
  t.teardown(async () => publisher.close())
  return publisher
}

const step = (n: number) => ({ poId: '1', progress: n % 101, message: `step ${n}` })
const messages = (heard: Arrivals<Heard>) => heard.all.map(({ event }) => event.message)
const steps = (count: number) => Array.from({ length: count }, (_, n) => `step ${n}`)

for (const [name, make] of Object.entries(transports)) {
  t.test(`by ${name}`, async (t) => {
    const redis = await TestRedis.start(t)
    const heard = await subscribeTo(t, redis)
    const target = await make(t, redis.url)

    t.test('the four events go to the channel of their type, stamped where they have no timestamp', async (t) => {
      const publisher = publisherTo(t, target)
      const before = Date.now()
      t.strictSame(await publisher.progress('shop.myshopify.com', { poId: '1', progress: 50, message: 'half way', workflowId: 'w', etaMs: 12 }), { ok: true })
      t.strictSame(await publisher.stage('TEST', { stage: 'upload', poId: '1', status: 'started', message: 'm', timestamp: 7 }), { ok: true })
      t.strictSame(await publisher.completion('TEST', { type: 'completion', stage: 'upload', poId: '1', lineItems: [{ sku: 'ä' }], confidence: 0.5 }), { ok: true })
      t.strictSame(await publisher.error('TEST', { stage: 'upload', poId: '1', error: 'no' }), { ok: true })
      t.strictSame(await publisher.publish('TEST', { type: 'invoice', any: ['thing'] }), { ok: true })
      await heard.count(5)
      const { timestamp } = heard.all[0]!.event
      t.ok(Number.isInteger(timestamp) && (timestamp as number) >= before && (timestamp as number) <= Date.now())
      t.match(heard.all.splice(0), [
        { channel: 'merchant:shop.myshopify.com:progress', event: { type: 'progress', poId: '1', progress: 50, message: 'half way', workflowId: 'w', etaMs: 12, timestamp } },
        { channel: 'merchant:TEST:stage', event: { type: 'stage', stage: 'upload', poId: '1', status: 'started', message: 'm', timestamp: 7 } },
        { channel: 'merchant:TEST:completion', event: { type: 'completion', lineItems: [{ sku: 'ä' }], confidence: 0.5, timestamp: Number } },
        { channel: 'merchant:TEST:error', event: { type: 'error', error: 'no', timestamp: Number } },
        { channel: 'merchant:TEST:invoice', event: { type: 'invoice', any: ['thing'] } },
      ])
      t.strictSame(publisher.counts, { published: 5, failed: 0, waiting: 0 })
    })

    t.test('a thousand events of two merchants, each in order', async (t) => {
      const publisher = publisherTo(t, target)
      for (let n = 0; n < 500; n++) {
        void publisher.progress('a', step(n))
        void publisher.progress('b', step(n))
      }
      await publisher.flush()
      t.equal(publisher.counts.published, 1_000)
      await heard.count(1_000)
      const all = heard.all.splice(0)
      for (const merchant of ['a', 'b']) {
        t.strictSame(all.filter(({ channel }) => channel === `merchant:${merchant}:progress`).map(({ event }) => event.message), steps(500))
      }
    })

    t.test('who may not publish is told so, once and for all', async (t) => {
      await redis.cli('ACL', 'SETUSER', 'few', 'on', '>secret', 'resetchannels', '&merchant:ALLOWED:*', '+@all')
      const publisher = publisherTo(t, await (name === 'HTTP' ? make(t, redis.url, 'wrong') : make(t, redis.url.replace('//', '//few:secret@'))))
      t.match(await publisher.progress('TEST', step(0)), { ok: false, error: { name: 'PublishError', code: 'RTF_REFUSED', message: name === 'HTTP' ? /401 RTF_BAD_PUBLISH_KEY/ : /permissions/ } })
      if (name === 'HTTP') return
      t.strictSame(await Promise.all(['ALLOWED', 'TEST', 'ALLOWED'].map(async (merchant, n) => (await publisher.progress(merchant, step(n))).ok)), [true, false, true])
      await heard.count(2)
      t.strictSame(heard.all.splice(0).map(({ event }) => event.message), ['step 0', 'step 2'])
    })

    t.test('connections are lost midway: nothing is, and what is published stays in order', async (t) => {
      const publisher = publisherTo(t, target, { bridgeMs: 30_000 })
      const published = []
      for (let n = 0; n < 300; n++) {
        published.push(publisher.progress('TEST', step(n)))
        if (n === 150) await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal')
        await published[n - 20]
      }
      t.ok((await Promise.all(published)).every(({ ok }) => ok))
      await heard.first(({ event }) => event.message === 'step 299')
      t.strictSame([...new Set(messages(heard))], steps(300), 'at least once: one whose answer got lost comes twice')
      heard.all.splice(0)
    })

    t.test('Redis goes midway and returns: what was published meanwhile arrives, in order', async (t) => {
      const publisher = publisherTo(t, target, { bridgeMs: 30_000 })
      await publisher.progress('TEST', step(0))
      await redis.kill()
      const meanwhile = [1, 2, 3].map(async (n) => publisher.progress('TEST', step(n)))
      await redis.start()
      const listening = await subscribeTo(t, redis)
      t.strictSame(await Promise.all(meanwhile), [{ ok: true }, { ok: true }, { ok: true }])
      await publisher.progress('TEST', step(4))
      await listening.first(({ event }) => event.message === 'step 4')
      // Redis was back before we listened to it: what came in between was heard by nobody.
      t.strictSame(messages(listening), steps(5).slice(-listening.all.length))
    })

    t.test('Redis does not answer: it is away', async (t) => {
      const publisher = publisherTo(t, target, { bridgeMs: 0, timeoutMs: 200 })
      await publisher.progress('TEST', step(0))
      redis.freeze()
      t.match(await publisher.progress('TEST', step(1)), { ok: false, error: { code: 'RTF_BROKER_AWAY' } })
      redis.thaw()
    })
  })
}

t.test('a URL with a wrong password, or none, is refused', async (t) => {
  const redis = await TestRedis.start(t, 'secret')
  for (const password of ['wrong', '']) {
    const publisher = publisherTo(t, { redis: redis.urlWith(password) })
    const published = await publisher.progress('TEST', step(1))
    t.match(published, { ok: false, error: { code: 'RTF_REFUSED', message: /WRONGPASS|NOAUTH/ } })
  }
  const publisher = publisherTo(t, { redis: redis.url })
  t.match(await publisher.progress('TEST', step(1)), { ok: true })
})
