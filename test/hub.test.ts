import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { Connection } from '../src/fanout/connection.js'
import { SKEW_MS, digestOf, epochOf, formatCursor } from '../src/fanout/cursor.js'
import { Clock } from '../src/fanout/clock.js'
import { Hub, type HubOptions } from '../src/fanout/hub.js'
import { noMetrics } from '../src/metrics.js'
import { Arrivals } from './helpers/arrivals.js'

/*
 * What happens within one turn of the event loop, which no client can time from outside. The sockets are real.
 */

function createHub (t: Test, options: Partial<HubOptions> = {}): Hub {
  const hub = new Hub({
    channelPrefix: 'merchant',
    maxMessageBytes: 65_536,
    maxBufferedBytes: 1_000_000,
    maxConnections: 10,
    maxConnectionsPerMerchant: 10,
    heartbeatMs: 15_000,
    maxAgeMs: 1_800_000,
    retryMs: 3_000,
    history: { ttlMs: 300_000, maxBytes: 10_000_000, eventsPerMerchant: 100 },
    clock: new Clock(),
    provenAt: () => performance.now(),
    metrics: noMetrics,
    log: pino({ level: 'silent' }),
    ...options,
  })
  t.teardown(() => end(hub))
  return hub
}

const end = (hub: Hub) => hub.drain({ delayMs: 0, windowMs: 0, hurry: AbortSignal.abort() })

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

/** All that a client reads until this comes: of megabytes, each piece is kept once only. */
async function readUntil (client: Socket, last: string): Promise<string> {
  client.removeAllListeners('data')
  const pieces: string[] = []
  await new Promise<void>((resolve) => {
    let tail = ''
    client.on('data', (text: string) => {
      pieces.push(text)
      tail = (tail + text).slice(-text.length - last.length)
      if (tail.includes(last)) resolve()
    }).resume()
  })
  return pieces.join('')
}

/** Has the client of TEST owe so many bytes. */
async function fill (hub: Hub, connection: Connection, bytes: number): Promise<void> {
  const big = Buffer.from(`{"padding":"${'x'.repeat(50_000)}"}`)
  while (connection.bufferedBytes < bytes) {
    hub.receive('merchant:TEST:padding', big)
    await new Promise(setImmediate)
  }
}

const NOW = 1_700_000_000_000
/** Stands still, and makes no difference between its times and those of the monotonic one. */
class StandingClock extends Clock {
  override now (): number { return NOW }
  override at (ms: number): number { return ms }
  override heed (): boolean { return false }
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
  t.match(all, /data: \{"n":1\}\n\nid: [\w.-]+\nevent: progress\ndata: \{"n":2\}\n\n$/)
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

t.test('a client that does not read its last words is cut off', async (t) => {
  const hub = createHub(t)
  const { socket, client } = await pair(t)
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  client.pause()
  await fill(hub, connection, 500_000)
  await end(hub)
  t.equal(connection.closeReason, 'draining')
  t.ok(socket.destroyed)
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
  t.match(await read.first((text) => text.includes('{"n":1}')), /xHEADretry: \d+\n\nid: [\w.-]+\ndata: \{"type":"connected".*\n\nid: [\w.-]+\nevent: progress\ndata: \{"n":1\}\n\n/)
})

t.test('a client that lags gets, once it reads, all but progress that is outdated, in the order of arrival', async (t) => {
  const counted = { conflated: 0, delivered: 0 }
  const hub = createHub(t, {
    metrics: { ...noMetrics, eventsConflated: (n) => { counted.conflated += n }, eventsDelivered: (_topic, count) => { counted.delivered += count } },
  })
  const { socket, client, read } = await pair(t)
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  const publish = (topic: string, fields: Record<string, unknown>) => { hub.receive(`merchant:TEST:${topic}`, Buffer.from(JSON.stringify({ type: topic, ...fields }))) }
  for (let round = 0; round < 3; round++) {
    client.pause()
    await fill(hub, connection, 300_000)
    for (let n = 0; n < 100; n++) {
      publish('progress', { poId: 'a', n, round })
      publish('progress', { poId: 'b', workflowId: 'w', n, round })
      if (n % 10 === 0) publish('stage', { poId: 'a', n, round })
      if (n === 50) publish('progress', { poId: 'b', workflowId: 'other', n, round })
      await new Promise(setImmediate)
    }
    publish('progress', { poId: 'a', workflowId: 7, n: 100, round })
    publish('progress', { poId: 'a', workflowId: 7, n: 101, round })
    publish('completion', { poId: 'a', n: 102, round })
    client.resume()
    await read.first((text) => text.includes(`"n":102,"round":${round}}`))
    const seen = [...read.all.at(-1)!.matchAll(/^data: (\{"type".*)$/gm)].map(([, data]) => JSON.parse(data!) as { type: string, poId: string, workflowId?: unknown, n: number, round: number })
      .filter((event) => event.round === round).map(({ type, poId, workflowId, n }) => [type, poId, workflowId, n])
    t.strictSame(seen, [
      ...[0, 10, 20, 30, 40, 50].map((n) => ['stage', 'a', undefined, n]),
      ['progress', 'b', 'other', 50],
      ...[60, 70, 80, 90].map((n) => ['stage', 'a', undefined, n]),
      ['progress', 'a', undefined, 99], ['progress', 'b', 'w', 99],
      // What is not as the schema has it says of no work that it is the latest word on it.
      ['progress', 'a', 7, 100], ['progress', 'a', 7, 101],
      ['completion', 'a', undefined, 102],
    ])
    t.equal(counted.conflated, (round + 1) * 198)
    while (connection.bufferedBytes > 0) await new Promise(setImmediate)
    publish('custom', { round })
    await read.first((text) => text.includes(`{"type":"custom","round":${round}}`))
  }
  t.ok(counted.delivered >= 3 * 16)
})

t.test('a client that is owed too much is cut off when more is to come, be it a heartbeat', async (t) => {
  for (const [what, options] of [['a message', {}], ['a heartbeat', { heartbeatMs: 100 }]] as const) {
    const hub = createHub(t, { maxBufferedBytes: 1, ...options })
    const { socket, client } = await pair(t)
    const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
    client.pause()
    await fill(hub, connection, 1)
    const closed = once(socket, 'close')
    hub.receive(...message(1))
    await new Promise(setImmediate)
    t.notOk(connection.closing, 'the bound is looked at before, not after')
    if (what === 'a message') hub.receive(...message(2))
    await closed
    t.equal(connection.closeReason, 'slow_consumer', what)
  }
})

t.test('what a client is owed when its stream ends comes before its last words', async (t) => {
  const hub = createHub(t)
  const { socket, client, read } = await pair(t)
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  client.pause()
  await fill(hub, connection, 300_000)
  hub.receive(...message(1))
  const ended = end(hub)
  await new Promise(setImmediate)
  client.resume()
  await ended
  t.match(await read.first((text) => text.includes('event: close')), /data: \{"n":1\}\n\nretry: \d+\n\nid: [\w.-]+\nevent: close\ndata: [^\n]+\n\n$/)
})

t.test('a client that reads what it is owed at the end, however slowly, is left to', async (t) => {
  const hub = createHub(t)
  const { socket, client, read } = await pair(t)
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  client.pause()
  // More than a client that pauses for as long as this one gets in a second.
  await fill(hub, connection, 900_000)
  client.on('data', () => { client.pause() })
  const reading = setInterval(() => { client.resume() }, 10)
  t.teardown(() => { clearInterval(reading) })
  await end(hub)
  t.equal(connection.bufferedBytes, 0, 'nothing was lost')
  t.match(await read.first((text) => text.includes('event: close')), /event: close/)
})

t.test('a client that would go on reading for long does not hold up the end', async (t) => {
  const hub = createHub(t, { maxBufferedBytes: 100_000_000 })
  const { socket, client, read } = await pair(t)
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  client.pause()
  await fill(hub, connection, 40_000_000)
  client.removeAllListeners('data').on('data', () => { client.pause() })
  const reading = setInterval(() => { client.resume() }, 20)
  t.teardown(() => { clearInterval(reading) })
  await end(hub)
  t.ok(socket.destroyed)
  t.equal(connection.closeReason, 'draining')
  t.notOk(read.all.at(-1)?.includes('event: close'))
})

t.test('a client that is turned away and keeps talking instead of reading is cut off', async (t) => {
  const hub = createHub(t)
  const { socket, client } = await pair(t)
  client.pause()
  while (socket.writableLength === 0) socket.write('x'.repeat(100_000))
  const talking = setInterval(() => { client.write('x') }, 100)
  t.teardown(() => { clearInterval(talking) })
  const closed = once(socket, 'close')
  hub.refuse(socket, 'over_capacity')
  await closed
  t.pass()
})

t.test('a client that leaves while it lags does no harm', async (t) => {
  const hub = createHub(t)
  const { socket, client } = await pair(t)
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  client.pause()
  await fill(hub, connection, 300_000)
  client.resetAndDestroy()
  await new Promise((resolve) => { socket.on('close', resolve) })
  hub.receive(...message(1))
  await new Promise(setImmediate)
  t.equal(connection.closeReason, 'client_gone')
})

t.test('what comes while streams are ending is not written after their end', async (t) => {
  const hub = createHub(t)
  const { socket, read } = await pair(t)
  socket.on('error', (error) => { t.fail(error.message) })
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  await read.next()
  hub.receive(...message(1))
  const ended = end(hub)
  while (!connection.closing) await new Promise((resolve) => { process.nextTick(resolve) })
  hub.receive(...message(2))
  await ended
  t.match(await read.first((text) => text.includes('event: close')), /\{"n":1\}\n\nretry: \d+\n\nid: [\w.-]+\nevent: close\ndata: [^\n]+\n\n$/)
})

t.test('no heartbeat, and no last word, is of an event that was not sent before it', async (t) => {
  const hub = createHub(t, { heartbeatMs: 10 })
  const { socket, read } = await pair(t)
  hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  await read.first((text) => text.includes(': heartbeat'))
  for (let n = 1; n <= 20; n++) {
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        hub.receive(...message(n))
        resolve()
      }, 1)
      // When this is over, both the message and a heartbeat are overdue, and come in one run of timers, before the turn is over.
      setImmediate(() => {
        for (const until = performance.now() + 20; performance.now() < until;) { /* As if it were work. */ }
      })
    })
    await read.first((text) => text.includes(`{"n":${n}}`))
  }
  hub.receive(...message(21))
  await end(hub)
  const all = await read.first((text) => text.includes('event: close'))
  const blocks = all.split('\n\n').map((block) => ({ event: /^id: (\d+\.[\w-]+\.[\w-]+)/m.exec(block)?.[1], n: /^data: \{"n":(\d+)\}/m.exec(block)?.[1] }))
  let last: string | undefined
  for (const { event, n } of blocks.slice(2)) {
    if (n !== undefined) last = event
    else if (event !== undefined && last !== undefined) t.equal(event, last)
  }
  t.strictSame(blocks.flatMap(({ n }) => n ?? []).map(Number), Array.from({ length: 21 }, (_, i) => i + 1))
})

t.test('a client that lags is told of a gap in its place', async (t) => {
  const hub = createHub(t)
  const { socket, client, read } = await pair(t)
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  client.pause()
  await fill(hub, connection, 300_000)
  const publish = (n: number) => { hub.receive('merchant:TEST:progress', Buffer.from(`{"type":"progress","poId":"a","n":${n}}`)) }
  publish(1)
  hub.receive('merchant:TEST:stage', Buffer.from('{"n":2}'))
  hub.subscribed(1_000, 2_000)
  hub.receive('merchant:TEST:stage', Buffer.from('{"n":3}'))
  publish(4)
  await new Promise(setImmediate)
  client.resume()
  const all = await read.first((text) => text.includes('"n":4'))
  t.match(all, /data: \{"n":2\}\n\nid: \d+\.-\.[\w-]+\.\d+\nevent: gap\ndata: \{"type":"gap","reason":"redis_outage","from":\d+,"to":\d+\}\n\nid: \S+\nevent: stage\ndata: \{"n":3\}\n\n/)
  t.notMatch(all, '"n":1}', 'what came before it is conflated with what came after it')
})

t.test('by a moment that another instance knew of, a client gets what came since as long before it as instances may differ by', async (t) => {
  let now = NOW - 20_000
  const clock = new class extends StandingClock {
    override now (): number { return now }
  }()
  const hub = createHub(t, { clock, provenAt: () => now })
  hub.subscribed(now, now)
  for (const [n, ms] of [-11_001, -11_000, -6_000, -1_000].entries()) {
    now = NOW + ms
    hub.receive(...message(n))
  }
  now = NOW
  const { socket, read } = await pair(t)
  hub.attach({ merchantId: 'TEST', filter: undefined, socket, lastEventId: formatCursor({ arrivedMs: NOW - 30_000, hash: 'AAAAAAAA', epoch: epochOf('else', 'TEST'), caughtUpMs: NOW - 6_000 }) })
  const text = await read.first((text) => text.includes('{"n":3}'))
  t.strictSame(text.match(/\{"n":\d\}|event: gap/g), ['{"n":1}', '{"n":2}', '{"n":3}'])
})

t.test('a client that is ahead is held', async (t) => {
  const AHEAD = message(2)
  const cursor = (merchantId = 'TEST', arrivedMs = NOW) => {
    return formatCursor({ arrivedMs, hash: digestOf('progress', AHEAD[1]), epoch: epochOf('else', merchantId), caughtUpMs: undefined })
  }
  /** With a client that is held, and all that is counted of it. */
  async function holding (t: Test, { arrivedMs = NOW, ...options }: Partial<HubOptions> & { arrivedMs?: number } = {}) {
    const counted: string[] = []
    const hub = createHub(t, {
      clock: new StandingClock(),
      provenAt: () => NOW,
      metrics: { ...noMetrics, resumed: (outcome) => { counted.push(outcome) }, gapTold: (reason) => { counted.push(reason) } },
      ...options,
    })
    hub.subscribed(NOW - 20_000, NOW - 20_000)
    const ends = await pair(t)
    const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket: ends.socket, lastEventId: cursor('TEST', arrivedMs) })
    t.ok(connection.held)
    const greeting = await ends.read.first((text) => text.includes('connected'))
    t.match(greeting, `\n\nid: ${cursor('TEST', arrivedMs)}\ndata: {"type":"connected"`)
    return { hub, connection, counted, greeting, ...ends }
  }

  t.test('until its event comes, in whatever turn', async (t) => {
    const { hub, connection, counted, read, greeting } = await holding(t, { heartbeatMs: 10 })
    const other = await pair(t)
    hub.attach({ merchantId: 'TEST', filter: undefined, socket: other.socket })
    await other.read.first((text) => text.split(': heartbeat').length > 3)
    hub.receive(...message(1))
    hub.receive('merchant:OTHER:progress', message(2)[1])
    t.ok(connection.held)
    hub.receive(...AHEAD)
    hub.receive(...message(3))
    t.notOk(connection.held)
    const text = await read.first((text) => text.includes('{"n":3}'))
    t.match(text.slice(greeting.length), /^id: \S+\nevent: progress\ndata: \{"n":3\}\n\n/)
    t.strictSame(counted, ['fresh', 'behind'])
    const all = await other.read.first((text) => text.includes('{"n":3}'))
    t.match(all, /\{"n":1\}\n\n[^{]*\{"n":2\}\n\n[^{]*\{"n":3\}\n\n/, 'others get all')
  })

  t.test('and not for longer than its event can take', async (t) => {
    const { hub, connection, counted, read, greeting } = await holding(t, { arrivedMs: NOW - SKEW_MS + 50 })
    hub.receive(...message(1))
    hub.receive(...message(3))
    const text = await read.first((text) => text.includes('{"n":3}'))
    t.match(text.slice(greeting.length), new RegExp(`^id: \\S+\\nevent: gap\\ndata: {"type":"gap","reason":"unknown_cursor","from":${NOW - 2 * SKEW_MS + 50},"to":${NOW}}\\n\\n` +
      'id: \\S+\\nevent: progress\\ndata: {"n":1}\\n\\nid: \\S+\\nevent: progress\\ndata: {"n":3}\\n\\n$'))
    t.notOk(connection.held)
    t.strictSame(counted, ['gap', 'unknown_cursor'])
    hub.receive(...AHEAD)
    await read.first((text) => text.endsWith('{"n":2}\n\n'))
    t.strictSame(counted, ['gap', 'unknown_cursor'], 'it waits no longer')
  })

  t.test('when all streams are ended, it leaves with the cursor that it came with', async (t) => {
    const { hub, counted, read, greeting } = await holding(t)
    hub.receive(...message(1))
    await end(hub)
    const text = await read.first((text) => text.includes('event: close'))
    t.match(text.slice(greeting.length), /^retry: \d+\n\nevent: close\ndata: [^\n]+\n\n$/)
    hub.receive(...AHEAD)
    t.strictSame(counted, ['behind'], 'it was for nothing else that it came')
  })

  t.test('and when it leaves, nothing waits for it', async (t) => {
    const { hub, client, socket, counted } = await holding(t, { arrivedMs: NOW - SKEW_MS + 100 })
    client.destroy()
    await once(socket, 'close')
    const other = await pair(t)
    hub.attach({ merchantId: 'TEST', filter: undefined, socket: other.socket, lastEventId: cursor('TEST', NOW - SKEW_MS + 100) })
    // By now the first one's time would be up, too.
    await other.read.first((text) => text.includes('event: gap'))
    hub.receive(...AHEAD)
    t.strictSame(counted, ['behind', 'gap', 'unknown_cursor'])
  })

  for (const [name, lostMs, from] of [['before the outage', NOW - 1_000, NOW - SKEW_MS], ['in the outage', NOW - 10_000, NOW - 10_000]] as const) {
    t.test(`when something may have been missed, it is told of one gap: its own began ${name}`, async (t) => {
      const { hub, connection, counted, read, greeting } = await holding(t, { arrivedMs: NOW })
      hub.receive(...message(1))
      hub.subscribed(lostMs, NOW - 500)
      t.notOk(connection.held)
      hub.receive(...message(3))
      const text = await read.first((text) => text.includes('{"n":3}'))
      t.match(text.slice(greeting.length), new RegExp(`^id: \\S+\\nevent: gap\\ndata: {"type":"gap","reason":"redis_outage","from":${from},"to":${NOW}}\\n\\nid: \\S+\\nevent: progress\\ndata: {"n":3}\\n\\n$`))
      t.strictSame(counted.sort(), ['gap', 'redis_outage'])
    })
  }
})

t.test('a clock that is set begins the history anew, and one that is set by less is not gone by', async (t) => {
  let setByMs = 0
  const clock = new Clock(() => Date.now() + setByMs)
  const counted: string[] = []
  const hub = createHub(t, { clock, metrics: { ...noMetrics, resumed: (outcome) => { counted.push(outcome) } } })
  hub.subscribed(performance.now(), performance.now())
  const come = async (lastEventId?: string) => {
    const { socket, client, read } = await pair(t)
    hub.attach({ merchantId: 'TEST', filter: undefined, socket, lastEventId })
    const greeting = await read.first((text) => text.includes('connected'))
    return { client, read, id: /^id: (\S+)$/m.exec(greeting)![1]! }
  }
  const first = await come()
  setByMs = -900
  hub.receive(...message(1))
  const { read, id } = await come(first.id)
  t.match(await read.first((text) => text.includes('"n":1')), /connected.*\n\nid: \S+\nevent: progress\ndata: \{"n":1\}\n\n$/)
  setByMs = -3_600_000
  t.match(await (await come(id)).read.first((text) => text.includes('event: gap')), /"reason":"unknown_cursor"/)
  const fresh = await come()
  hub.receive(...message(2))
  await (await come(fresh.id)).read.first((text) => text.includes('"n":2'))
  t.strictSame(counted, ['fresh', 'covered', 'gap', 'fresh', 'covered'])
})

t.test('of two events that look the same and came at the same time, the one that is left does not stand for the one that is gone', async (t) => {
  let now = NOW
  const clock = new class extends StandingClock {
    override now (): number { return now }
  }()
  const hub = createHub(t, { clock, provenAt: () => NOW, history: { ttlMs: 300_000, maxBytes: 1_000_000, eventsPerMerchant: 2 } })
  hub.subscribed(NOW - 1_000, NOW - 1_000)
  const { socket, read } = await pair(t)
  hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  hub.receive(...message(1))
  hub.receive(...message(2))
  hub.receive(...message(1))
  const all = await read.first((text) => text.includes('{"n":2}'))
  const id = /^id: (\S+)\nevent: progress\ndata: \{"n":1\}/m.exec(all)![1]!
  // The first two go for their number: it lacks the second one.
  now += 11_000
  hub.receive(...message(4))
  const back = await pair(t)
  hub.attach({ merchantId: 'TEST', filter: undefined, socket: back.socket, lastEventId: id })
  hub.receive(...message(3))
  const text = await back.read.first((text) => text.includes('{"n":3}'))
  t.match(text, /event: gap|\{"n":2\}/, 'never without a word')
})

t.test('clients of one merchant that are ahead are all held', async (t) => {
  const hub = createHub(t)
  hub.subscribed(performance.now() - 20_000, performance.now() - 20_000)
  const lastEventId = formatCursor({ arrivedMs: Date.now(), hash: digestOf('progress', message(1)[1]), epoch: epochOf('else', 'TEST'), caughtUpMs: undefined })
  const [first, second, third] = [await pair(t), await pair(t), await pair(t)]
  const connections = [first, second, third].map(({ socket }) => hub.attach({ merchantId: 'TEST', filter: undefined, socket, lastEventId }))
  first.client.end()
  await once(first.socket, 'close')
  t.ok(connections.every(({ held }) => held))
  hub.receive(...message(1))
  hub.receive(...message(2))
  for (const { read } of [second, third]) t.match(await read.first((text) => text.includes('"n":2')), /connected[^\n]+\n\nid: \S+\nevent: progress\ndata: \{"n":2\}\n\n$/)
})

t.test('what is evicted while it is being replayed is a gap, and what is held comes after it', async (t) => {
  const hub = createHub(t, { history: { ttlMs: 300_000, maxBytes: 20_000_000, eventsPerMerchant: 1_000 } })
  hub.subscribed(performance.now(), performance.now())
  const big = (n: number) => { hub.receive('merchant:TEST:padding', Buffer.from(`{"n":${n},"padding":"${'x'.repeat(60_000)}"}`)) }
  for (let n = 0; n < 200; n++) big(n)
  const { socket, client } = await pair(t)
  client.pause()
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket, replay: 1_000 })
  t.ok(connection.held && connection.lagging)
  for (let n = 200; n < 700; n++) big(n)
  const all = await readUntil(client, '"n":699')
  hub.receive(...message(700))
  await readUntil(client, '"n":700')
  const [before, after, ...more] = all.split('event: gap\n')
  t.strictSame(more, [])
  t.match(after, /^data: \{"type":"gap","reason":"history_evicted",/)
  const numbers = (text: string) => [...text.matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n))
  const [sent, kept] = [numbers(before!), numbers(after!)]
  t.strictSame([sent[0], kept.at(-1)], [0, 699])
  t.strictSame(sent, sent.map((_, i) => i), 'in order, up to the gap')
  t.strictSame(kept, kept.map((_, i) => kept[0]! + i), 'and from what was held on')
  t.ok(kept[0]! > sent.at(-1)! + 1)
})

t.test('an outage while a client is being replayed to is one gap, from the first that it was not sent', async (t) => {
  const hub = createHub(t)
  hub.subscribed(performance.now(), performance.now())
  const startedMs = Date.now()
  for (let n = 0; n < 100; n++) hub.receive('merchant:TEST:padding', Buffer.from(`{"n":${n},"padding":"${'x'.repeat(60_000)}"}`))
  const { socket, client } = await pair(t)
  client.pause()
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket, replay: 100 })
  t.ok(connection.held)
  hub.subscribed(performance.now(), performance.now())
  t.notOk(connection.held)
  hub.receive(...message(100))
  const all = await readUntil(client, '"n":100')
  const [gap, ...more] = [...all.matchAll(/"reason":"redis_outage","from":(\d+)/g)].map(([, from]) => Number(from))
  t.strictSame(more, [])
  t.ok(gap! <= startedMs - SKEW_MS + 1_000)
  t.notMatch(all, '"n":99,')
})

t.test('a client whose stream is ending is told of no gap: it has its cursor', async (t) => {
  const hub = createHub(t)
  const { socket, client, read } = await pair(t)
  const connection = hub.attach({ merchantId: 'TEST', filter: undefined, socket })
  client.pause()
  await fill(hub, connection, 300_000)
  const ended = end(hub)
  while (!connection.closing) await new Promise((resolve) => { process.nextTick(resolve) })
  hub.subscribed(performance.now(), performance.now())
  client.resume()
  await ended
  t.notMatch(await read.first((text) => text.includes('event: close')), 'event: gap')
})
