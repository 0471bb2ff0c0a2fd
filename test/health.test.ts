import t from 'tap'
import { TestRedis } from './helpers/redis.js'
import { Service, progress } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

const get = async (url: string) => {
  const answer = await fetch(url)
  return { status: answer.status, body: await answer.json() }
}

t.test('on the embedded broker it is ready at once', async (t) => {
  const service = await Service.start(t)
  t.strictSame(await get(`${service.url}/healthz`), { status: 200, body: { status: 'ok' } })
  t.strictSame(await get(`${service.url}/readyz`), { status: 200, body: { status: 'ready' } })
  t.equal(await service.metric('redis_connected'), 0, 'there is none')
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    t.equal((await fetch(service.url + path, { method: 'POST' })).status, 405)
    t.equal((await fetch(service.url + path, { method: 'HEAD' })).status, 200)
  }
  t.equal((await fetch(`${service.url}/nowhere`)).status, 404)
})

t.test('OPS_PORT takes health and metrics off the public port', async (t) => {
  const service = await Service.start(t, { OPS_PORT: '0' })
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    t.equal((await fetch(service.opsUrl + path)).status, 200)
    t.equal((await fetch(service.url + path)).status, 404)
  }
  t.equal((await fetch(`${service.opsUrl}/api/realtime/events?merchantId=a`)).status, 404)
})

t.test('while Redis has never been there, it is alive and not ready', async (t) => {
  const redis = await TestRedis.absent(t)
  const service = await Service.start(t, { REDIS_URL: redis.url })
  t.strictSame(await get(`${service.url}/healthz`), { status: 200, body: { status: 'ok' } })
  t.strictSame(await get(`${service.url}/readyz`), { status: 503, body: { status: 'unready', reason: 'not_subscribed' } })
  const answer = await service.publish('TEST', progress(1))
  t.equal(answer.status, 503)
  t.ok(answer.headers.get('retry-after'))
  t.match(await answer.json(), { code: 'RTF_BROKER_AWAY' })

  const stream = await Stream.open(t, service.streamUrl('TEST'))
  await redis.start()
  await service.log.first(({ msg }) => msg === 'subscribed')
  t.strictSame(await get(`${service.url}/readyz`), { status: 200, body: { status: 'ready' } })
  await redis.cli('PUBLISH', 'merchant:TEST:progress', JSON.stringify(progress(1)))
  await stream.published(1)
})

t.test('while Redis is away for a while, it stays ready for the grace', async (t) => {
  const redis = await TestRedis.start(t)
  const patient = await Service.start(t, { REDIS_URL: redis.url })
  const strict = await Service.start(t, { REDIS_URL: redis.url, REDIS_OUTAGE_GRACE_S: '0' })
  for (const { log } of [patient, strict]) await log.first(({ msg }) => msg === 'subscribed')
  await redis.kill()
  for (const { log } of [patient, strict]) await log.first(({ msg }) => msg === 'subscription lost')
  t.strictSame(await get(`${patient.url}/readyz`), { status: 200, body: { status: 'ready' } })
  t.strictSame(await get(`${strict.url}/readyz`), { status: 503, body: { status: 'unready', reason: 'redis_outage' } })
  t.strictSame([await patient.metric('ready'), await strict.metric('ready')], [1, 0])
  t.strictSame(await get(`${strict.url}/healthz`), { status: 200, body: { status: 'ok' } })
  t.equal(await strict.metric('redis_connected'), 0)
  t.equal(await strict.metric('redis_subscription_age_seconds'), 0)

  await redis.start()
  await strict.log.first(({ msg }) => msg === 'subscribed again')
  t.strictSame(await get(`${strict.url}/readyz`), { status: 200, body: { status: 'ready' } })
  t.equal(await strict.metric('redis_connected'), 1)
  t.equal(await strict.metric('redis_reconnects_total'), 1)
})

t.test('READY_WARMUP_MS: it is not ready until the history is long enough to resume from, though all who come are served', async (t) => {
  const redis = await TestRedis.start(t)
  const startedAt = performance.now()
  const service = await Service.start(t, { REDIS_URL: redis.url, READY_WARMUP_MS: '3000', HEARTBEAT_MS: '100' })
  await service.log.first(({ msg }) => msg === 'subscribed')
  t.strictSame(await get(`${service.url}/readyz`), { status: 503, body: { status: 'unready', reason: 'warming_up' } })
  t.strictSame(await get(`${service.url}/healthz`), { status: 200, body: { status: 'ok' } })
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  await redis.cli('PUBLISH', 'merchant:TEST:progress', JSON.stringify(progress(1)))
  await stream.published(1)
  t.match(await get(`${service.url}/readyz`), { body: { reason: 'warming_up' } }, 'still')

  const ready = async () => {
    while (!(await fetch(`${service.url}/readyz`)).ok) await stream.comments.next()
  }
  await ready()
  t.ok(performance.now() - startedAt >= 3_000)
  t.strictSame(await get(`${service.url}/readyz`), { status: 200, body: { status: 'ready' } })

  await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await service.log.first(({ msg }) => msg === 'subscribed again')
  t.strictSame(await get(`${service.url}/readyz`), { status: 200, body: { status: 'ready' } }, 'a blip does not have all instances warm up anew')
})

t.test('a subscription that is lost while it warms up has to stand for as long anew', async (t) => {
  const redis = await TestRedis.start(t)
  const service = await Service.start(t, { REDIS_URL: redis.url, READY_WARMUP_MS: '3000', HEARTBEAT_MS: '100' })
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  await service.log.first(({ msg }) => msg === 'subscribed')
  t.match(await get(`${service.url}/readyz`), { body: { reason: 'warming_up' } })
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')
  const again = await service.log.first(({ msg }) => msg === 'subscribed again')
  while (!(await fetch(`${service.url}/readyz`)).ok) await stream.comments.next()
  t.ok(Date.now() - Number(again.time) >= 2_990)
})
