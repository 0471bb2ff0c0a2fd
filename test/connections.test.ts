import t from 'tap'
import { RawClient } from './helpers/raw.js'
import { Service, progress } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

const isClosed = ({ msg }: { msg: string }) => msg === 'stream closed'

t.test('2,000 clients come and go, and all is as it was', async (t) => {
  const service = await Service.start(t, { MAX_CONNECTIONS_PER_MERCHANT: '1000', HEARTBEAT_MS: '200' })
  const round = async (n: number) => {
    const clients = Array.from({ length: n }, (_, i) => new RawClient(t, service.port, `GET /api/realtime/events?merchantId=m${i % 7} HTTP/1.1\r\nHost: x\r\n\r\n`))
    await Promise.all(clients.map((client) => client.until('connected')))
    t.equal(await service.metric('connections'), n)
    t.equal(await service.metric('merchants_connected'), 7)
    const before = service.log.all.filter(isClosed).length
    // Clients leave in both ways there are.
    for (const [i, client] of clients.entries()) {
      if (i % 2 === 0) client.socket.end()
      else client.reset()
    }
    await service.log.count(before + n, isClosed)
    t.equal(await service.metric('connections'), 0)
    t.equal(await service.metric('merchants_connected'), 0)
    t.equal(await service.metric('write_buffer_bytes'), 0)
  }
  const state = async () => ({ sockets: await service.resources('TCPSocketWrap'), timers: await service.resources('Timeout') })
  await round(1_000) // What the first clients leave behind is warmth, not a leak.
  const before = await state()
  const heap = await service.heap()
  await round(1_000)
  await round(1_000)
  t.strictSame(await state(), before)
  const grown = await service.heap() - heap
  t.ok(grown < 2_000 * 1_000, `${grown} bytes more: 2,000 clients that left themselves behind would be 3 MB`)
  t.equal(await service.metric('connections_opened_total'), 3_000)
  t.equal(await service.metric('connections_closed_total{reason="client_gone"}'), 3_000)
  t.equal(await service.metric('connection_duration_seconds_count'), 3_000)
})

t.test('a client that stops reading is cut off, and memory stays bounded', async (t) => {
  const deaf = 100
  const service = await Service.start(t, { MAX_BUFFERED_BYTES: '65536', MAX_CONNECTIONS_PER_MERCHANT: '200' })
  const quick = await Stream.open(t, service.streamUrl('TEST'))
  const clients = Array.from({ length: deaf }, () => new RawClient(t, service.port, 'GET /api/realtime/events?merchantId=TEST HTTP/1.1\r\nHost: x\r\n\r\n'))
  await Promise.all(clients.map((client) => client.until('connected')))
  for (const { socket } of clients) socket.pause()

  const before = await service.rss()
  let peak = 0
  let sent = 0
  // 1,000 messages a second, of 2 KB: faster than the kernel's buffers of a hundred sockets hide it.
  const startedAt = performance.now()
  while (await service.metric('slow_consumers_total') < deaf) {
    const due = Math.floor(performance.now() - startedAt)
    while (sent < due) {
      const batch = Array.from({ length: Math.min(100, due - sent) }, (_, i) => progress(sent + i, { poId: `po-${sent + i}`, message: 'x'.repeat(2_000) }))
      t.equal((await service.publish('TEST', batch)).status, 202)
      sent += batch.length
    }
    peak = Math.max(peak, await service.rss())
  }
  await service.log.count(deaf, ({ msg, reason }) => msg === 'stream closed' && reason === 'slow_consumer')
  t.equal(await service.metric('connections_closed_total{reason="slow_consumer"}'), deaf)
  t.equal(await service.metric('connections'), 1)
  t.ok(peak - before < deaf * 65_536 + 48 * 2 ** 20, `${before} bytes before, ${peak} at the most, ${sent} messages`)

  const data = await quick.published(sent)
  t.equal(data.length, sent, 'who reads gets all of it')
  await Promise.all(clients.map(({ socket, closed }) => { socket.resume(); return closed }))
})

t.test('a client that reads too slowly for all progress still gets all else, and is not cut off', async (t) => {
  const service = await Service.start(t, { MAX_BUFFERED_BYTES: '65536', MAX_CONNECTIONS_PER_MERCHANT: '100' })
  const quick = await Stream.open(t, service.streamUrl('TEST'))
  const slow = await Promise.all(Array.from({ length: 10 }, () => Stream.open(t, service.streamUrl('TEST'))))
  for (const { response } of slow) response.pause()

  let published = 0
  const completions: number[] = []
  let peak = 0
  // Many times what the kernel's buffers hold, all of it on the progress of three orders, with some completions.
  while (published < 3_000) {
    const batch = Array.from({ length: 99 }, () => progress(published, { poId: `po-${published++ % 3}`, n: published, message: 'x'.repeat(10_000) }))
    completions.push(published)
    t.equal((await service.publish('TEST', [...batch, { type: 'completion', stage: 'ai_parsing', poId: 'po-1', n: published }])).status, 202)
    peak = Math.max(peak, await service.metric('write_buffer_bytes'))
  }
  const all = published + completions.length
  t.equal((await quick.published(all)).length, all, 'who reads gets all of it')
  t.equal(await service.metric('slow_consumers_total'), 0)
  t.ok(await service.metric('events_conflated_total') > 10 * 1_000)
  t.ok(peak < 10 * 1_500_000, `${peak} bytes owed at the most: to each, the one turn that did not pass, and what nothing superseded`)

  for (const { response } of slow) response.resume()
  for (const stream of slow) {
    const last = (poId: string) => (data: string) => (JSON.parse(data) as { poId: string }).poId === poId
    await stream.events.first(({ event, data }) => event === 'completion' && (JSON.parse(data) as { n: number }).n === published)
    const events = stream.events.all.filter(({ event }) => event !== undefined)
    const numbers = events.map(({ data }) => (JSON.parse(data) as { n: number }).n)
    t.strictSame(events.filter(({ event }) => event === 'completion').map(({ data }) => (JSON.parse(data) as { n: number }).n), completions, 'every completion')
    t.strictSame(numbers, [...numbers].sort((a, b) => a - b), 'in order')
    for (const poId of ['po-0', 'po-1', 'po-2']) {
      const ofOrder = (from: string[]) => from.filter(last(poId)).filter((data) => data.includes('"type":"progress"')).at(-1)
      t.equal(ofOrder(stream.data), ofOrder(quick.data), `the latest progress of ${poId}`)
    }
  }
  // What was owed is counted when it is handed over, too.
  const delivered = slow.reduce((sum, { data }) => sum + data.length, quick.data.length)
  t.equal(await service.metric('events_delivered_total{topic="progress"}') + await service.metric('events_delivered_total{topic="completion"}'), delivered)
})
