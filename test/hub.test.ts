import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { Hub } from '../src/fanout/hub.js'
import { noMetrics } from '../src/metrics.js'
import { Arrivals } from './helpers/arrivals.js'

/*
 * What happens within one turn of the event loop, which no client can time from outside. The sockets are real.
 */

function createHub (t: Test): Hub {
  const hub = new Hub({
    channelPrefix: 'merchant',
    maxMessageBytes: 65_536,
    maxBufferedBytes: 1_000_000,
    maxConnections: 10,
    maxConnectionsPerMerchant: 10,
    heartbeatMs: 15_000,
    retryMs: 3_000,
    metrics: noMetrics,
    log: pino({ level: 'silent' }),
  })
  t.teardown(() => hub.close())
  return hub
}

/** A socket of a server, and all that its client has read so far, anew at each piece. */
async function pair (t: Test): Promise<{ socket: Socket, client: Socket, read: Arrivals<string> }> {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  const client = connect((server.address() as { port: number }).port, '127.0.0.1').setEncoding('utf8')
  const read = new Arrivals<string>()
  client.on('data', (text: string) => { read.add((read.all.at(-1) ?? '') + text) })
  t.teardown(() => { client.destroy() })
  const [socket] = await once(server, 'connection') as [Socket]
  return { socket, client, read }
}

const message = (n: number) => ['merchant:TEST:progress', Buffer.from(`{"n":${n}}`)] as const

t.test('a newcomer gets what comes after it, and those before it get all, in order', async (t) => {
  const hub = createHub(t)
  const [first, second] = [await pair(t), await pair(t)]
  hub.attach({ merchantId: 'TEST', filter: undefined, socket: first.socket })
  hub.receive(...message(1))
  hub.attach({ merchantId: 'TEST', filter: undefined, socket: second.socket })
  hub.receive(...message(2))
  const all = await first.read.first((text) => text.includes('{"n":2}'))
  t.match(all, /data: \{"n":1\}\n\nevent: progress\ndata: \{"n":2\}\n\n$/)
  const rest = await second.read.first((text) => text.includes('{"n":2}'))
  t.notMatch(rest, '{"n":1}')
})

t.test('all that one turn brings is one write', async (t) => {
  const hub = createHub(t)
  const { socket, read } = await pair(t)
  hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  let writes = 0
  const write = socket._write.bind(socket)
  socket._write = (...args) => {
    writes++
    write(...args)
  }
  for (let n = 1; n <= 50; n++) hub.receive(...message(n))
  await read.first((text) => text.includes('{"n":50}'))
  t.equal(writes, 1)
})

t.test('a client that leaves between a message and its delivery does no harm', async (t) => {
  const hub = createHub(t)
  const { socket } = await pair(t)
  hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  // The last moment at which the hub still counts it in.
  socket.prependListener('close', () => { hub.receive(...message(1)) })
  socket.destroy()
  await once(socket, 'close')
  await new Promise(setImmediate)
  t.pass()
})

t.test('a client that owes too much when all are to end is cut off: it could not be told', async (t) => {
  const hub = createHub(t)
  const { socket, client } = await pair(t)
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  client.pause()
  const big = Buffer.from(`{"a":"${'x'.repeat(60_000)}"}`)
  while (connection.bufferedBytes <= 1_000_000) {
    hub.receive('merchant:TEST:progress', big)
    await new Promise(setImmediate)
  }
  await hub.close()
  t.equal(connection.closeReason, 'slow_consumer')
})

t.test('what the socket still owes of an earlier answer is not overtaken', async (t) => {
  const hub = createHub(t)
  const { socket, client, read } = await pair(t)
  client.pause()
  while (socket.writableLength === 0) socket.write('x'.repeat(100_000))
  socket.write('HEAD')
  hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  hub.receive(...message(1))
  client.resume()
  t.match(await read.first((text) => text.includes('{"n":1}')), /xHEADretry: \d+\n\ndata: \{"type":"connected".*\n\nevent: progress\ndata: \{"n":1\}\n\n$/)
})

t.test('a client that falls behind and catches up misses nothing', async (t) => {
  const hub = createHub(t)
  const { socket, client, read } = await pair(t)
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  let n = 0
  for (let round = 0; round < 3; round++) {
    client.pause()
    const padding = 'x'.repeat(50_000)
    while (connection.bufferedBytes < 500_000) {
      hub.receive('merchant:TEST:progress', Buffer.from(`{"n":${++n},"padding":"${padding}"}`))
      await new Promise(setImmediate)
    }
    client.resume()
    hub.receive(...message(++n))
    await read.first((text) => text.includes(`{"n":${n}}`))
    // The next write tells that nothing is owed any more.
    hub.receive(...message(++n))
    await read.first((text) => text.includes(`{"n":${n}}`))
    t.equal(connection.bufferedBytes, 0)
  }
  const seen = [...read.all.at(-1)!.matchAll(/^data: \{"n":(\d+)/gm)].map(([, number]) => Number(number))
  t.strictSame(seen, Array.from({ length: n }, (_, i) => i + 1))
})

t.test('what comes while streams are ending is not written after their end', async (t) => {
  const hub = createHub(t)
  const { socket, read } = await pair(t)
  socket.on('error', (error) => { t.fail(error.message) })
  hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  await read.next()
  hub.receive(...message(1))
  const closed = hub.close()
  hub.receive(...message(2))
  await closed
  t.match(await read.first((text) => text.includes('event: close')), /\{"n":1\}\n\nretry: \d+\n\nevent: close\ndata: [^\n]+\n\n$/)
})
