import t from 'tap'
import { MerchantPublisher, optionsOf, publishMerchantCompletion, publishMerchantError, publishMerchantProgress, publishMerchantStage, sharedPublisher } from '../src/publisher/index.js'
import { TestRedis } from './helpers/redis.js'
import { subscribeTo } from './helpers/subscriber.js'

t.test('where an environment says to publish to', async (t) => {
  t.strictSame(optionsOf({ REDIS_URL: 'redis://localhost' }), { redis: 'redis://localhost' })
  t.strictSame(optionsOf({ REDIS_URL: 'redis://localhost', CHANNEL_PREFIX: 'shop' }, { strict: true }), { redis: 'redis://localhost', channelPrefix: 'shop', strict: true })
  t.strictSame(optionsOf({ REDIS_URL: 'redis://localhost', REALTIME_URL: 'http://localhost' }), { http: { url: 'http://localhost' } })
  t.strictSame(optionsOf({ REALTIME_URL: 'http://localhost', PUBLISH_KEY: 'key' }), { http: { url: 'http://localhost', key: 'key' } })
  t.throws(() => optionsOf({ REDIS_URL: '' }), { code: 'RTF_BAD_OPTION' })
})

t.test('the names of the old helper', async (t) => {
  const before = { ...process.env }
  t.teardown(() => { process.env = before })
  for (const name of ['REDIS_URL', 'CHANNEL_PREFIX', 'REALTIME_URL', 'PUBLISH_KEY']) process.env[name] = ''
  const warned = new Promise((resolve) => { process.once('warning', resolve) })
  t.match(await publishMerchantProgress('TEST', { poId: '1', progress: 50, message: 'half way' }), { ok: false, error: { code: 'RTF_BAD_OPTION' } }, 'break nothing where the environment says nothing')
  t.match(await warned, { code: 'RTF_BAD_OPTION' })

  const redis = await TestRedis.start(t)
  const heard = await subscribeTo(t, redis)
  process.env.REDIS_URL = redis.url
  t.strictSame(await publishMerchantProgress('TEST', { poId: '1', progress: 50, message: 'half way' }), { ok: true })
  t.strictSame(await publishMerchantStage('TEST', { stage: 'upload', poId: '1', status: 'started', message: 'm' }), { ok: true })
  t.strictSame(await publishMerchantCompletion('TEST', { stage: 'upload', poId: '1' }), { ok: true })
  t.strictSame(await publishMerchantError('TEST', { stage: 'upload', poId: '1', error: 'no' }), { ok: true })
  await heard.count(4)
  t.strictSame(heard.all.map(({ channel }) => channel), ['progress', 'stage', 'completion', 'error'].map((type) => `merchant:TEST:${type}`))
  t.type(sharedPublisher(), MerchantPublisher)
  await sharedPublisher().close()
})
