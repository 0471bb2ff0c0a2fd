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
    for (const [i, { socket }] of clients.entries()) {
      if (i % 2 === 0) socket.end()
      else socket.resetAndDestroy()
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
      const batch = Array.from({ length: Math.min(100, due - sent) }, (_, i) => progress(sent + i, { message: 'x'.repeat(2_000) }))
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
