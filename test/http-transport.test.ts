import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { MerchantPublisher, type CommonOptions } from '../src/publisher/index.js'
import { Service } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

const step = (n: number) => ({ poId: '1', progress: n % 101, message: `step ${n}` })

interface Answer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: string
}

interface Asked {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly messages: string[]
  readonly at: number
}

/** A server that gives these answers, then 202. */
async function answering (t: Test, answers: Answer[], options: CommonOptions = {}) {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const messages = (JSON.parse(body) as Array<{ message: string }>).map(({ message }) => message)
      asked.push({ url: request.url!, headers: request.headers, messages, at: performance.now() })
      const { status, headers, body: answer } = answers.shift() ?? { status: 202 }
      if (status === 0) response.destroy()
      else response.writeHead(status, headers).end(answer)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/behind/a/proxy`
  const publisher = new MerchantPublisher({ http: { url, key: 'secret' }, onError: () => {}, ...options })
  t.teardown(async () => {
    await publisher.close()
    server.closeAllConnections()
    server.close()
  })
  return { asked, publisher }
}

t.test('what is published in one turn goes in one request per merchant, a hundred events at most', async (t) => {
  const { asked, publisher } = await answering(t, [])
  for (let n = 0; n < 150; n++) void publisher.progress('a', step(n))
  void publisher.progress('shop.myshopify.com', step(0))
  await publisher.flush()
  t.strictSame(asked.map(({ url, messages }) => [url, messages.length]).sort(), [
    ['/behind/a/proxy/api/realtime/merchants/a/events', 100],
    ['/behind/a/proxy/api/realtime/merchants/a/events', 50],
    ['/behind/a/proxy/api/realtime/merchants/shop.myshopify.com/events', 1],
  ])
  t.match(asked[0]!.headers, { authorization: 'Bearer secret', 'content-type': 'application/json' })
})

t.test('what passes is tried again', async (t) => {
  for (const answer of [{ status: 503 }, { status: 429 }, { status: 500 }, { status: 502, body: '<html>' }, { status: 504 }, { status: 408 }, { status: 0 }]) {
    const { asked, publisher } = await answering(t, [answer, answer])
    t.match(await publisher.progress('a', step(1)), { ok: true }, String(answer.status))
    t.strictSame(asked.map(({ messages }) => messages), [['step 1'], ['step 1'], ['step 1']])
  }
})

t.test('no sooner than it is told', async (t) => {
  for (const value of [() => '1', () => new Date(Date.now() + 2_000).toUTCString()]) {
    const { asked, publisher } = await answering(t, [{ status: 503, headers: { 'retry-after': value() } }])
    t.match(await publisher.progress('a', step(1)), { ok: true })
    t.ok(asked[1]!.at - asked[0]!.at > 500, 'and not after the first back-off')
  }
  const { asked, publisher } = await answering(t, [{ status: 429, headers: { 'retry-after': '86400' } }])
  t.match(await publisher.progress('a', step(1)), { ok: false, error: { code: 'RTF_BROKER_AWAY', message: 'not sent: the service answers 429' } }, 'never, where that is after the bridge')
  t.match(await publisher.progress('a', step(2)), { ok: false, error: { code: 'RTF_BROKER_AWAY' } })
  t.equal(asked.length, 1)
  const dateless = new MerchantPublisher({
    bridgeMs: 30_000,
    onError: () => {},
    http: { url: 'http://127.0.0.1', fetch: async () => new Response(null, { status: 503, headers: { 'retry-after': new Date(Date.now() + 60_000).toUTCString() } }) },
  })
  t.match(await dateless.progress('a', step(1)), { ok: false, error: { code: 'RTF_BROKER_AWAY' } }, 'by our clock, if not by its own')
  const nonsense = await answering(t, [{ status: 503, headers: { 'retry-after': 'soon' } }])
  t.match(await nonsense.publisher.progress('a', step(1)), { ok: true })
})

t.test('what is final is not', async (t) => {
  for (const status of [200, 301, 401, 403, 404, 415]) {
    const { asked, publisher } = await answering(t, [{ status, headers: { location: '/elsewhere' }, body: '<html>a proxy says what is none of our business</html>' }])
    t.match(await publisher.progress('a', step(1)), { ok: false, error: { code: 'RTF_REFUSED', message: `the service refuses it: ${status}` } })
    t.equal(asked.length, 1)
  }
})

t.test('what one event of a batch is refused for, the others are not', async (t) => {
  const blame = (n: number) => ({ status: 400, body: JSON.stringify({ code: 'RTF_BAD_EVENT', message: `event ${n}: poId is missing` }) })
  const { asked, publisher } = await answering(t, [blame(1), { ...blame(1), status: 413 }])
  const published = await Promise.all([1, 2, 3].map(async (n) => publisher.progress('a', step(n))))
  const error = { code: 'RTF_REFUSED', message: 'the service refuses it: 400 RTF_BAD_EVENT: event 1: poId is missing' }
  t.match(published, [{ ok: true }, { ok: false, error }, { ok: false, error: { message: /413/ } }])
  t.strictSame(asked.map(({ messages }) => messages), [['step 1', 'step 2', 'step 3'], ['step 1', 'step 3'], ['step 1']])

  const unclear = await answering(t, [{ status: 400 }, blame(7)])
  for (const said of ['nothing', 'one that is none']) t.match(await Promise.all([1, 2].map(async (n) => unclear.publisher.progress('a', step(n)))), [{ ok: false }, { ok: false }], said)
  t.equal(unclear.asked.length, 2)
})

t.test('what is away for one merchant is not for the others', async (t) => {
  const publisher = new MerchantPublisher({
    bridgeMs: 300,
    onError: () => {},
    http: { url: 'http://127.0.0.1', fetch: async (url) => new Response(null, { status: (url as string).includes('/bad/') ? 500 : 202 }) },
  })
  const bad = [1, 2].map(async (n) => publisher.progress('bad', step(n)))
  const good: Array<Promise<unknown>> = []
  while (publisher.counts.failed < bad.length) {
    good.push(publisher.progress('good', step(good.length)))
    await good.at(-2)
  }
  t.match(await Promise.all(bad), [{ ok: false, error: { code: 'RTF_BROKER_AWAY' } }, { ok: false }])
  t.ok((await Promise.all(good)).every((published) => (published as { ok: boolean }).ok))
  t.match(await publisher.progress('good', step(0)), { ok: true })
})

t.test('an answer that does not come', async (t) => {
  let aborted = false
  const publisher = new MerchantPublisher({
    bridgeMs: 200,
    timeoutMs: 100,
    onError: () => {},
    http: { url: 'http://127.0.0.1', fetch: async (_url, { signal } = {}) => { signal!.addEventListener('abort', () => { aborted = true }); return new Promise(() => {}) } },
  })
  t.match(await publisher.progress('a', step(1)), { ok: false, error: { code: 'RTF_BROKER_AWAY', message: /^not sent: there was no answer within \d+ ms$/ } })
  t.ok(aborted)
  await publisher.close()
})

t.test('a service that is not there, and errors that say nothing that is secret', async (t) => {
  const publisher = new MerchantPublisher({ http: { url: 'http://127.0.0.1:1' }, bridgeMs: 0, onError: () => {} })
  t.match(await publisher.progress('a', step(1)), { ok: false, error: { code: 'RTF_BROKER_AWAY', message: /^not sent: the service cannot be reached: .+/ } })
  for (const [thrown, reason] of [
    [new Error('Bearer secret'), 'Error'],
    [Object.assign(new Error('secret'), { code: 'ECONNRESET' }), 'ECONNRESET'],
    [new TypeError('fetch failed', { cause: Object.assign(new Error(''), { code: 'ECONNREFUSED' }) }), 'ECONNREFUSED'],
    [undefined, 'unknown'],
  ] as const) {
    const odd = new MerchantPublisher({ http: { url: 'http://127.0.0.1', key: 'secret', fetch: async () => { throw thrown } }, bridgeMs: 0, onError: () => {} }) // eslint-disable-line @typescript-eslint/only-throw-error -- as some do
    t.match(await odd.progress('a', step(1)), { ok: false, error: { message: `not sent: the service cannot be reached: ${reason}` } })
  }
  for (const http of [{ url: 'http://user:secret@127.0.0.1' }, { url: 'http://127.0.0.1?key=secret' }, { url: 'http://127.0.0.1', key: 'sec\nret' }, { url: 'http://127.0.0.1', key: '' }, { url: 5 as never }]) {
    t.throws(() => new MerchantPublisher({ http }), { code: 'RTF_BAD_OPTION', message: /^((?!secret|ret).)*$/ })
  }
})

t.test('a service in development takes it without a key', async (t) => {
  const service = await Service.start(t)
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  const publisher = new MerchantPublisher({ http: { url: `${service.url}/` }, strict: true })
  await publisher.progress('TEST', step(1))
  t.match(JSON.parse((await stream.published(1))[0]!), { type: 'progress', message: 'step 1' })
})
