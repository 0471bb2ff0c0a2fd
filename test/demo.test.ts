import { once } from 'node:events'
import { request } from 'node:http'
import t, { type Test } from 'tap'
import { buildApp, type App } from '../src/app.js'
import { BrokerUnavailable } from '../src/broker/broker.js'
import { MemoryBroker } from '../src/broker/memory.js'
import { loadConfig } from '../src/config.js'
import { createLog } from '../src/log.js'
import { servesPageFile } from './helpers/page-file.js'
import { TestRedis } from './helpers/redis.js'
import { Service, type Environment } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

const FAST = { merchantId: 'TEST', count: 1, fail: false, speed: 50 }

async function order (url: string, wanted: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/demo/orders`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(wanted) })
}

/** A service inside this process. */
async function start (t: Test, env: Environment = {}): Promise<{ readonly url: string, readonly server: App['server'] }> {
  const { server } = await buildApp(loadConfig({ DRAIN_DELAY_MS: '0', DRAIN_WINDOW_MS: '0', ...env }), { log: createLog('silent') })
  t.teardown(() => server.close())
  return { server, url: await server.listen({ host: '127.0.0.1', port: 0 }) }
}

/** By node:http, as `fetch` does not let a `Host` or `Sec-Fetch-Site` be chosen. */
async function orderWith (url: string, headers: Record<string, string>): Promise<number | undefined> {
  const post = request(`${url}/demo/orders`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } })
  post.end(JSON.stringify(FAST))
  const [answer] = await once(post, 'response') as [{ statusCode?: number, resume: () => void }]
  answer.resume()
  return answer.statusCode
}

async function poIdsOf (answer: Response): Promise<string[]> {
  return (await answer.json() as { poIds: string[] }).poIds
}

/** Of one order, what is published of it. */
function about (stream: Stream, poId: string): Array<Record<string, unknown>> {
  return stream.events.all.map(({ data }) => JSON.parse(data) as Record<string, unknown>).filter((event) => event.poId === poId)
}

t.test('the page is served, in development', async (t) => {
  const service = await start(t)
  const kinds = [['/', 'text/html; charset=utf-8'], ['/demo/page.js', 'text/javascript; charset=utf-8'], ['/demo/page.css', 'text/css; charset=utf-8']] as const

  for (const [path, type] of kinds) t.test(path, async (t) => servesPageFile(t, service.url + path, type))

  t.test('and nothing else beside it', async (t) => {
    for (const path of ['/demo/', '/demo/index.html', '/demo/orders.js', '/demo/..%2f..%2fpackage.json', '/demo/page.js.map']) {
      t.equal((await fetch(service.url + path)).status, 404, path)
    }
  })

  t.test('with what it has to know of the instance', async (t) => {
    t.strictSame(await (await fetch(`${service.url}/demo/instance`)).json(),
      { broker: 'memory', channelPrefix: 'merchant', heartbeatMs: 15_000, needsToken: false, needsKey: false })
  })
})

t.test('who starts it is told where the page is', async (t) => {
  const [service, other] = await Promise.all([Service.start(t), Service.start(t, { NODE_ENV: 'test' })])
  await Promise.all([fetch(service.url), fetch(other.url)])
  t.ok(service.printed.includes(`Look:     http://localhost:${service.port}/`))
  t.notMatch(other.printed.join('\n'), 'Look:')
})

t.test('there is no page elsewhere', async (t) => {
  const production: Environment = { NODE_ENV: 'production', AUTH_MODE: 'jwt', JWT_SECRET: 's'.repeat(32), REDIS_URL: 'redis://127.0.0.1:1' }
  for (const env of [production, { NODE_ENV: 'test' }]) {
    const service = await start(t, env)
    for (const path of ['/', '/demo/page.js', '/demo/page.css', '/demo/instance']) t.equal((await fetch(service.url + path)).status, 404, path)
    t.equal((await order(service.url, FAST)).status, 404)
  }
})

t.test('orders are simulated', async (t) => {
  async function started (t: Test, env: Environment, wanted: object) {
    const { server, url } = await start(t, env)
    while ((await fetch(`${url}/readyz`)).status !== 200);
    const stream = await Stream.open(t, `${url}/api/realtime/events?merchantId=TEST`)
    const answer = await order(url, wanted)
    t.equal(answer.status, 202)
    return { server, stream, poIds: await poIdsOf(answer) }
  }

  for (const kind of ['memory', 'Redis'] as const) {
    t.test(`several at a time, on ${kind}`, async (t) => {
      const env: Environment = kind === 'memory' ? {} : { REDIS_URL: (await TestRedis.start(t)).url }
      const { stream, poIds } = await started(t, env, { ...FAST, count: 3 })
      t.equal(new Set(poIds).size, 3)
      await stream.events.count(3, ({ event, data }) => event === 'completion' && data.includes('"stage":"saving"'))
      for (const poId of poIds) {
        const events = about(stream, poId)
        t.strictSame(events.filter(({ type, status }) => type === 'stage' && status === 'completed').map(({ stage }) => stage),
          ['upload', 'validation', 'ai_parsing', 'matching', 'saving'])
        t.equal(events.findLast(({ type }) => type === 'progress')!.progress, 100)
        t.notOk(events.some(({ type }) => type === 'error'))
      }
    })
  }

  t.test('and fail, if they are to', async (t) => {
    const { stream, poIds: [poId] } = await started(t, {}, { ...FAST, fail: true })
    await stream.events.first(({ event }) => event === 'error')
    t.match(about(stream, poId!).at(-1), { type: 'error', error: /./ })
    t.notMatch(about(stream, poId!).at(-1)!.error, 'stopped')
  })

  t.test('no more than 25 at a time', async (t) => {
    const service = await start(t)
    for (let i = 0; i < 5; i++) t.equal((await order(service.url, { ...FAST, count: 5, speed: 1 })).status, 202)
    const answer = await order(service.url, { ...FAST, speed: 1 })
    t.equal(answer.status, 429)
    t.equal(answer.headers.get('retry-after'), '5')
    t.match(await answer.json(), { code: 'RTF_RATE_EXCEEDED' })
  })

  t.test('until the service ends, of which who watches is told', async (t) => {
    const { server, stream, poIds } = await started(t, {}, { ...FAST, count: 2, speed: 1 })
    await stream.events.count(2, ({ event }) => event === 'stage')
    await server.close()
    await stream.closed
    for (const poId of poIds) t.match(about(stream, poId).at(-1), { type: 'error', error: 'the simulation was stopped' })
    t.equal(stream.events.all.at(-1)?.event, 'close')
  })

  t.test('while the broker is away, which the log is told of', async (t) => {
    class Away extends MemoryBroker {
      override async publish (): Promise<void> {
        throw new BrokerUnavailable('it is away')
      }
    }
    const lines: string[] = []
    const { server } = await buildApp(loadConfig({ DRAIN_DELAY_MS: '0', DRAIN_WINDOW_MS: '0' }), { log: createLog('warn', { write: (line) => { lines.push(line) } }), broker: new Away() })
    const url = await server.listen({ host: '127.0.0.1', port: 0 })
    t.equal((await order(url, FAST)).status, 202)
    await server.close()
    const told = lines.map((line) => JSON.parse(line) as { msg: string, err: { code: string } }).filter(({ msg }) => msg === 'an event of a simulated order was not published')
    t.equal(told.length, 1, 'once a second at most')
    t.match(told[0], { err: { message: /it is away/ } })
  })
})

t.test('what is no order is refused', async (t) => {
  const service = await start(t)
  const table: Array<[wanted: object, code: string]> = [
    [{ ...FAST, merchantId: 'a b' }, 'RTF_BAD_MERCHANT_ID'],
    [{ ...FAST, merchantId: '_probe' }, 'RTF_BAD_MERCHANT_ID'],
    [{ ...FAST, count: 6 }, 'FST_ERR_VALIDATION'],
    [{ ...FAST, count: 0 }, 'FST_ERR_VALIDATION'],
    [{ ...FAST, speed: 51 }, 'FST_ERR_VALIDATION'],
    [{ ...FAST, more: true }, 'FST_ERR_VALIDATION'],
    [{}, 'FST_ERR_VALIDATION'],
  ]
  for (const [wanted, code] of table) {
    const answer = await order(service.url, wanted)
    t.equal(answer.status, 400, JSON.stringify(wanted))
    t.match(await answer.json(), { code })
  }
  t.equal((await fetch(`${service.url}/demo/orders`)).status, 405)
})

t.test('no page but this one starts orders', async (t) => {
  const { url } = await start(t)
  const own = new URL(url).host
  t.equal(await orderWith(url, { origin: `http://${own}`, 'sec-fetch-site': 'same-origin' }), 202)
  t.equal(await orderWith(url, {}), 202, 'what is no page may')
  t.equal(await orderWith(url, { origin: 'http://localhost:5173' }), 403, 'another page of this machine')
  t.equal(await orderWith(url, { origin: 'null' }), 403)
  for (const site of ['cross-site', 'same-site', 'none']) t.equal(await orderWith(url, { 'sec-fetch-site': site }), 403, site)
})

t.test('while publishing takes a key, the page starts none', async (t) => {
  const service = await start(t, { PUBLISH_KEY: 'k'.repeat(32) })
  t.match(await (await fetch(`${service.url}/demo/instance`)).json(), { needsKey: true })
  t.equal((await order(service.url, FAST)).status, 404)
})

t.test('while it is draining, it serves no page and starts no order', async (t) => {
  const { server, url } = await start(t, { DRAIN_WINDOW_MS: '3000' })
  const streams = await Promise.all(Array.from({ length: 5 }, async () => Stream.open(t, `${url}/api/realtime/events?merchantId=TEST`)))
  const closed = server.close()
  await Promise.race(streams.map((stream) => stream.closed))
  t.equal((await fetch(url)).status, 503)
  t.equal((await order(url, FAST)).status, 503)
  await closed
})
