/*
 * The testing list of the design that this service replaced, each item by its name there. Details of each are in the
 * tests of the room concerned.
 */
import { EventSource } from 'eventsource'
import t from 'tap'
import { loadConfig } from '../src/config.js'
import { TestRedis } from './helpers/redis.js'
import { Service, progress } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

t.test('the testing list of the old design', async (t) => {
  const redis = await TestRedis.start(t)
  // Everything is 100 times as fast: a heartbeat every 150 ms, "past 30 s" is past the second of them.
  const service = await Service.start(t, { REDIS_URL: redis.url, HEARTBEAT_MS: '150' })
  await service.log.first(({ msg }) => msg === 'subscribed')

  t.test('establishes a connection with the right headers', async (t) => {
    const { status, headers } = await Stream.open(t, service.streamUrl('TEST'))
    t.equal(status, 200)
    t.match(headers, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' })
  })

  t.test('keeps a connection alive past 30 seconds with a heartbeat every 15', async (t) => {
    t.equal(loadConfig({}).HEARTBEAT_MS, 15_000)
    const stream = await Stream.open(t, service.streamUrl('TEST'))
    const openedAt = Date.now()
    await stream.comments.count(3)
    t.ok(Date.now() - openedAt > 2 * 150, 'past two intervals')
    await redis.cli('PUBLISH', 'merchant:TEST:progress', JSON.stringify(progress(1)))
    t.equal((await stream.published(1)).length, 1, 'and it still delivers')
  })

  t.test('forwards messages from Redis', async (t) => {
    const source = new EventSource(service.streamUrl('FORWARD'))
    t.teardown(() => { source.close() })
    const topics = ['progress', 'stage', 'completion', 'error']
    await new Promise((resolve) => { source.addEventListener('message', resolve, { once: true }) })
    for (const type of topics) {
      const event = new Promise<MessageEvent>((resolve) => { source.addEventListener(type, resolve, { once: true }) })
      const payload = JSON.stringify({ type, poId: 'po-1' })
      await redis.cli('PUBLISH', `merchant:FORWARD:${type}`, payload)
      t.equal((await event).data, payload, type)
    }
  })

  t.test('handles many concurrent connections', async (t) => {
    const before = await service.metric('connections_opened_total')
    const streams = await Promise.all(Array.from({ length: 500 }, (_, i) => Stream.open(t, service.streamUrl(`many${i % 10}`))))
    t.equal(await service.metric('connections_opened_total') - before, 500)
    for (let i = 0; i < 10; i++) await redis.cli('PUBLISH', `merchant:many${i}:progress`, JSON.stringify(progress(i)))
    for (const [i, stream] of streams.entries()) t.match(JSON.parse((await stream.published(1))[0]!), { message: `step ${i % 10}` })
    for (const stream of streams) stream.close()
    await service.log.count(500, ({ msg, merchantId }) => msg === 'stream closed' && String(merchantId).startsWith('many'))
  })

  t.test('cleans up on disconnect', async (t) => {
    const stream = await Stream.open(t, service.streamUrl('GONE'))
    stream.close()
    await service.log.first(({ msg, merchantId }) => msg === 'stream closed' && merchantId === 'GONE')
    const line = service.log.all.find(({ msg, merchantId }) => msg === 'stream closed' && merchantId === 'GONE')
    t.match(line, { level: 20, reason: 'client_gone', seconds: Number })
  })
})
