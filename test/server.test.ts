import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { linesOf } from './helpers/arrivals.js'
import { RawClient } from './helpers/raw.js'
import { TestRedis } from './helpers/redis.js'
import { Service, progress } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

/** A client that does not read, and is owed more than the kernel's buffers take. */
async function deafClient (t: Test, service: Service): Promise<void> {
  const deaf = new RawClient(t, service.port, 'GET /api/realtime/events?merchantId=TEST HTTP/1.1\r\nHost: x\r\n\r\n')
  await deaf.until('connected')
  deaf.socket.pause()
  const batch = Array(100).fill(progress(1, { message: 'x'.repeat(60_000) }))
  while (await service.metric('write_buffer_bytes') === 0) await service.publish('TEST', batch)
}

t.test('on the embedded broker it says where it listens and what to paste', async (t) => {
  const service = await Service.start(t, { PORT: '0' })
  await service.log.first(({ msg }) => msg.startsWith('listening'))
  await fetch(`${service.url}/healthz`)
  const text = service.printed.join('\n')
  t.match(text, `http://localhost:${service.port}`)
  t.match(text, 'without Redis')
  t.match(text, `curl -N 'http://localhost:${service.port}/api/realtime/events?merchantId=TEST'`)
  t.match(text, `curl http://localhost:${service.port}/api/realtime/merchants/TEST/events -H`)

  t.match(text, `Watch:    http://localhost:${service.port}/dashboard`)

  const keyed = await Service.start(t, { PUBLISH_KEY: 'k'.repeat(32), DASHBOARD: 'off' })
  await fetch(`${keyed.url}/healthz`)
  t.match(keyed.printed.join('\n'), 'Bearer <PUBLISH_KEY>')
  t.notMatch(keyed.printed.join('\n'), 'Watch:')
})

t.test('a port that is taken ends it with one line', async (t) => {
  const service = await Service.start(t)
  const { code, printed } = await Service.refused({ PORT: String(service.port) })
  t.equal(code, 1)
  t.match(printed, [/^realtime-fanout: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/])
  t.equal(printed.length, 1)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} ends all streams and then the process, with exit code 0`, async (t) => {
    const redis = await TestRedis.start(t)
    const service = await Service.start(t, { REDIS_URL: redis.url, OPS_PORT: '0' })
    await service.log.first(({ msg }) => msg === 'subscribed')
    const streams = await Promise.all(Array.from({ length: 20 }, (_, i) => Stream.open(t, service.streamUrl(`m${i % 5}`))))
    const keepAlive = new RawClient(t, service.port, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    await keepAlive.until('404')

    service.signal(signal)
    await Promise.all(streams.map(({ closed }) => closed))
    for (const { events, retries } of streams) {
      t.match(events.all.at(-1), { event: 'close', data: '{"type":"close","reason":"draining","reconnect":true}' })
      t.equal(retries.length, 2, 'preceded by a retry')
    }
    t.strictSame(await service.exit, { code: 0, signal: null })
    await t.rejects(once(connect(service.port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
    t.equal(await redis.cli('PUBSUB', 'NUMPAT'), '0')
    t.equal(service.log.all.filter(({ msg, reason }) => msg === 'stream closed' && reason === 'draining').length, 20)
  })
}

t.test('it ends within the deadline', async (t) => {
  t.test('while clients do not read, and one has sent half a request', async (t) => {
    const service = await Service.start(t, { MAX_BUFFERED_BYTES: '100000000' })
    await deafClient(t, service)
    const half = new RawClient(t, service.port, 'POST /api/realtime/merchants/TEST/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{')

    service.signal('SIGTERM')
    t.strictSame(await service.exit, { code: 0, signal: null })
    await half.closed
  })

  t.test('while a client has connected to the public and to the ops port and says nothing', async (t) => {
    const service = await Service.start(t, { OPS_PORT: '0' })
    const silent = [service.port, Number(new URL(service.opsUrl).port)].map((port) => new RawClient(t, port))
    await Promise.all(silent.map(({ socket }) => once(socket, 'connect')))
    service.signal('SIGTERM')
    t.strictSame(await service.exit, { code: 0, signal: null })
    await Promise.all(silent.map(({ closed }) => closed))
  })

  t.test('while Redis is frozen', async (t) => {
    const redis = await TestRedis.start(t)
    const service = await Service.start(t, { REDIS_URL: redis.url })
    await service.log.first(({ msg }) => msg === 'subscribed')
    redis.freeze()
    service.signal('SIGTERM')
    t.strictSame(await service.exit, { code: 0, signal: null })
  })

  t.test('while Redis has never been there', async (t) => {
    const redis = await TestRedis.absent(t)
    const service = await Service.start(t, { REDIS_URL: redis.url })
    service.signal('SIGTERM')
    t.strictSame(await service.exit, { code: 0, signal: null })
  })
})

t.test('npm start passes the signal on', async (t) => {
  const npm = spawn('npm', ['start'], { env: { ...process.env, HOST: '127.0.0.1', PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = linesOf(npm.stdout)
  const [, port] = /listening at http:\/\/127\.0\.0\.1:(\d+)/.exec(await lines.first((line) => line.includes('listening at')))!
  await lines.first((line) => line.startsWith('Publish:'))
  const exited = once(npm, 'exit')
  npm.kill('SIGTERM')
  await exited
  await t.rejects(once(connect(Number(port), '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
})

/** A client that has sent half of a request, which holds up the end for seconds. */
async function halfARequest (t: Test, service: Service): Promise<RawClient> {
  const half = new RawClient(t, service.port, 'POST /api/realtime/merchants/TEST/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{')
  await once(half.socket, 'connect')
  await service.metric('connections') // It was answered later than the other was accepted.
  return half
}

t.test('Ctrl-C that comes twice at once, as it does under npm, is one', async (t) => {
  const service = await Service.start(t)
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  await halfARequest(t, service) // Which keeps it from ending before the second one comes.
  service.signal('SIGINT')
  await service.log.first(({ msg }) => msg === 'ending')
  service.signal('SIGINT')
  await stream.closed
  t.equal(stream.events.all.at(-1)?.event, 'close')
  t.strictSame(await service.exit, { code: 0, signal: null })
})

t.test('Ctrl-C a second time, later, ends it at once', async (t) => {
  const service = await Service.start(t, { MAX_BUFFERED_BYTES: '100000000' })
  await deafClient(t, service)
  await halfARequest(t, service)
  service.signal('SIGINT')
  // That a client does not read is borne for a second, half a request for longer.
  await service.log.first(({ msg }) => msg === 'stream closed')
  service.signal('SIGINT')
  t.strictSame(await service.exit, { code: 1, signal: null })
})

t.test('SIGTERM a second time ends it in order, without delay', async (t) => {
  t.test('while it goes on as before', async (t) => {
    const service = await Service.start(t, { DRAIN_DELAY_MS: '600000', DRAIN_WINDOW_MS: '600000' })
    const streams = await Promise.all(Array.from({ length: 20 }, () => Stream.open(t, service.streamUrl('TEST'))))
    service.signal('SIGTERM')
    await service.log.first(({ msg }) => msg === 'ending')
    service.signal('SIGTERM')
    await Promise.all(streams.map(({ closed }) => closed))
    for (const { events } of streams) t.equal(events.all.at(-1)?.event, 'close')
    t.strictSame(await service.exit, { code: 0, signal: null })
  })

  t.test('while streams end one after another', async (t) => {
    const service = await Service.start(t, { DRAIN_WINDOW_MS: '600000' })
    const streams = await Promise.all(Array.from({ length: 20 }, () => Stream.open(t, service.streamUrl('TEST'))))
    service.signal('SIGTERM')
    await service.log.first(({ msg }) => msg === 'stream closed')
    service.signal('SIGTERM')
    await Promise.all(streams.map(({ closed }) => closed))
    for (const { events } of streams) t.equal(events.all.at(-1)?.event, 'close')
    t.strictSame(await service.exit, { code: 0, signal: null })
  })

  t.test('while half a request holds it up', async (t) => {
    const service = await Service.start(t)
    const stream = await Stream.open(t, service.streamUrl('TEST'))
    const half = await halfARequest(t, service)
    service.signal('SIGTERM')
    await stream.closed
    service.signal('SIGTERM')
    await half.closed
    t.strictSame(await service.exit, { code: 0, signal: null })
  })

  t.test('and a third time, at once', async (t) => {
    const service = await Service.start(t, { DRAIN_DELAY_MS: '600000', MAX_BUFFERED_BYTES: '100000000' })
    await deafClient(t, service)
    service.signal('SIGTERM')
    await service.log.first(({ msg }) => msg === 'ending')
    service.signal('SIGTERM')
    await service.log.first(({ msg }) => msg === 'ending without delay')
    service.signal('SIGTERM')
    t.strictSame(await service.exit, { code: 1, signal: null })
  })
})
