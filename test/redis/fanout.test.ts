import t from 'tap'
import { TestRedis } from '../helpers/redis.js'
import { Service } from '../helpers/service.js'
import { Stream } from '../helpers/stream.js'

t.test('two instances on one Redis', async (t) => {
  const redis = await TestRedis.start(t)
  const instances = await Promise.all([1, 2].map(() => Service.start(t, { REDIS_URL: redis.url })))
  await Promise.all(instances.map(({ log }) => log.first(({ msg }) => msg === 'subscribed')))

  t.test('what redis-cli publishes reaches all 3 clients of the merchant on each instance, and no client of another', async (t) => {
    const open = async (merchantId: string) => Promise.all(instances.flatMap((instance) => [1, 2, 3].map(() => Stream.open(t, instance.streamUrl(merchantId)))))
    const [clients, others] = [await open('TEST'), await open('OTHER')]
    const payload = '{"type":"progress","poId":"po-1","progress":50,"message":"half way"}'
    t.equal(await redis.cli('PUBLISH', 'merchant:TEST:progress', payload), '2', 'Redis hands it to each instance once')
    for (const client of clients) t.strictSame(await client.published(1), [payload])

    // What the others get next is what was published to them: nothing came before it.
    await redis.cli('PUBLISH', 'merchant:OTHER:stage', '{"last":true}')
    for (const client of others) t.strictSame(await client.published(1), ['{"last":true}'])
    for (const client of clients) t.strictSame(client.data, [payload])
  })

  t.test('what one instance is given over HTTP reaches the clients of both', async (t) => {
    const clients = await Promise.all(instances.map((instance) => Stream.open(t, instance.streamUrl('HTTP'))))
    await instances[0]!.publish('HTTP', { type: 'custom', n: 1 })
    for (const client of clients) t.strictSame(await client.published(1), ['{"type":"custom","n":1}'])
  })

  t.test('each holds one subscription and one connection to publish, however many clients there are', async (t) => {
    await Promise.all(Array.from({ length: 90 }, (_, i) => Stream.open(t, instances[i % 2]!.streamUrl(`m${i}`))))
    // NUMPAT counts distinct patterns, CLIENT LIST who holds them.
    t.equal(await redis.cli('PUBSUB', 'NUMPAT'), '1')
    const ours = (await redis.cli('CLIENT', 'LIST')).split('\n').filter((line) => line.includes('name=realtime-fanout:'))
    t.equal(ours.length, 4)
    t.equal(ours.filter((line) => line.includes(' psub=1 ')).length, 2)
    t.equal(ours.filter((line) => line.includes(' sub=0 psub=0 ')).length, 2)
  })
})

t.test('CHANNEL_PREFIX keeps two services on one Redis apart', async (t) => {
  const redis = await TestRedis.start(t)
  const [one, two] = await Promise.all(['merchant', 'staging'].map((CHANNEL_PREFIX) => Service.start(t, { REDIS_URL: redis.url, CHANNEL_PREFIX })))
  await Promise.all([one!, two!].map(({ log }) => log.first(({ msg }) => msg === 'subscribed')))
  const [inOne, inTwo] = await Promise.all([one!, two!].map((service) => Stream.open(t, service.streamUrl('TEST'))))
  await one!.publish('TEST', { type: 'custom', of: 'one' })
  await redis.cli('PUBLISH', 'staging:TEST:custom', '{"type":"custom","of":"two"}')
  t.strictSame(await inOne!.published(1), ['{"type":"custom","of":"one"}'])
  t.strictSame(await inTwo!.published(1), ['{"type":"custom","of":"two"}'])
})
