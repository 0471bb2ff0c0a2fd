import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { MerchantPublisher } from '../src/publisher/index.js'
import { Arrivals } from './helpers/arrivals.js'
import { TestRedis } from './helpers/redis.js'

const run = promisify(execFile)

/** Nodes talk by a port that is 10,000 above their own: it has to be one. */
async function clusterNode (t: Test, more: readonly string[]): Promise<TestRedis> {
  let node: TestRedis
  do node = await TestRedis.absent(t, undefined, more)
  while (node.port >= 55_536)
  await node.start()
  return node
}

t.test('by an ioredis Cluster: in order, at whatever node one listens', async (t) => {
  const folder = t.testdir()
  const nodes = await Promise.all(['1', '2', '3'].map(async (name) => clusterNode(t, ['--cluster-enabled', 'yes', '--cluster-config-file', `${folder}/${name}.conf`])))
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'])
  const cluster = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
  t.teardown(() => { cluster.disconnect() })
  const heard = await Promise.all(nodes.map(async ({ url }) => {
    const client = new Redis(url)
    t.teardown(() => { client.disconnect() })
    const messages = new Arrivals<string>()
    client.on('pmessage', (_pattern, _channel, payload: string) => { messages.add((JSON.parse(payload) as { message: string }).message) })
    await client.psubscribe('merchant:*:*')
    return messages
  }))
  const publisher = new MerchantPublisher({ redis: cluster, bridgeMs: 30_000, strict: true })
  for (let n = 0; n < 300; n++) {
    void publisher.progress('TEST', { poId: '1', progress: 50, message: String(n) })
    if (n % 10 === 0) await publisher.flush()
  }
  await publisher.close()
  for (const messages of heard) {
    await messages.first((message) => message === '299')
    t.strictSame(messages.all, Array.from({ length: 300 }, (_, n) => String(n)))
  }
})
