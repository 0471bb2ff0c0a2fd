import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { Writable } from 'node:stream'
import { install } from '@sinonjs/fake-timers'
import t, { type Test } from 'tap'
import { buildApp } from '../src/app.js'
import { loadConfig } from '../src/config.js'
import { Feed } from '../src/dashboard/feed.js'
import { bytes, clock, day, duration, milliseconds, percent, rate, whole } from '../src/dashboard/page/format.js'
import { Series } from '../src/dashboard/page/series.js'
import { quantile } from '../src/dashboard/quantile.js'
import { Rates } from '../src/dashboard/rates.js'
import { Tally } from '../src/dashboard/tally.js'
import { FIELDS, type Instance, type Now, type Past } from '../src/dashboard/wire.js'
import { createLog } from '../src/log.js'
import { noMetrics } from '../src/metrics.js'
import { servesPageFile } from './helpers/page-file.js'
import { RawClient } from './helpers/raw.js'
import { Service, type Environment } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

const KEY = 'k'.repeat(32)
const OTHER_KEY = 'o'.repeat(32)
const FILES = [['/dashboard', 'text/html; charset=utf-8'], ['/dashboard/page.js', 'text/javascript; charset=utf-8'], ['/dashboard/page.css', 'text/css; charset=utf-8']] as const

/** A service inside this process. */
async function start (t: Test, env: Environment = {}) {
  const { server, ops } = await buildApp(loadConfig({ DRAIN_DELAY_MS: '0', DRAIN_WINDOW_MS: '0', ...env }), { log: createLog('silent') })
  t.teardown(() => server.close())
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  const opsUrl = await ops?.listen({ host: '127.0.0.1', port: 0 }) ?? url
  const publish = async (merchantId: string, count: number) => {
    const answer = await fetch(`${url}/api/realtime/merchants/${merchantId}/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(Array.from({ length: count }, (_, n) => ({ type: 'custom', n, timestamp: Date.now() }))) })
    t.equal(answer.status, 202)
  }
  const listen = async (merchantId: string, query = '') => Stream.open(t, `${url}/api/realtime/events?merchantId=${merchantId}${query}`)
  return { server, url, opsUrl, publish, listen }
}

/** Somebody who looks. */
class Viewer {
  readonly stream: Stream

  private constructor (stream: Stream) {
    this.stream = stream
  }

  static async open (t: Test, url: string, headers: Record<string, string> = {}): Promise<Viewer> {
    return new Viewer(await Stream.open(t, `${url}/dashboard/events`, { headers }))
  }

  async instance (): Promise<Instance> {
    return JSON.parse((await this.stream.events.first(({ event }) => event === 'instance')).data) as Instance
  }

  async past (): Promise<Past> {
    return JSON.parse((await this.stream.events.first(({ event }) => event === 'past')).data) as Past
  }

  /** The first of what came or will come that is so. */
  async now (wants: (now: Now) => boolean = () => true): Promise<Now> {
    return JSON.parse((await this.stream.events.first(({ event, data }) => event === 'now' && wants(JSON.parse(data) as Now))).data) as Now
  }

  get samples (): Array<Now['sample']> {
    return this.stream.events.all.filter(({ event }) => event === 'now').map(({ data }) => (JSON.parse(data) as Now).sample)
  }
}

/** By node:http, as `fetch` does not let `Sec-Fetch-Site` be chosen. */
async function ask (url: string, method: string, headers: Record<string, string>, body = ''): Promise<IncomingMessage> {
  const asked = request(url, { method, headers: { 'content-type': 'application/json', ...headers }, agent: false })
  asked.end(body)
  const [answer] = await once(asked, 'response') as [IncomingMessage]
  asked.destroy()
  return answer
}

async function enter (url: string, key: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/dashboard/session`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ key }) })
}

/** What a browser would send along from now on. */
const sessionOf = (answer: Response) => answer.headers.get('set-cookie')!.split(';', 1)[0]!

t.test('it is off in production, unless asked for, and elsewhere where that is said', async (t) => {
  const production = { NODE_ENV: 'production', AUTH_MODE: 'jwt', JWT_SECRET: 's'.repeat(32), REDIS_URL: 'redis://127.0.0.1:1' }
  for (const env of [production, { DASHBOARD: 'off' }]) {
    const { url } = await start(t, env)
    for (const path of ['/dashboard', '/dashboard/page.js', '/dashboard/session', '/dashboard/events']) t.equal((await fetch(url + path)).status, 404, path)
  }
  const { url } = await start(t, { ...production, DASHBOARD: 'on', OPS_KEY: KEY })
  t.equal((await fetch(`${url}/dashboard`)).status, 200)
  const viewer = await Viewer.open(t, url, { authorization: `Bearer ${KEY}` })
  t.match(await viewer.now(), { redis: { standing: false }, sample: { probe: null } }, 'nobody is at that address')
})

t.test('on the operators’ port, where there is one', async (t) => {
  const { url, opsUrl } = await start(t, { OPS_PORT: '0' })
  for (const [path, type] of FILES) {
    t.equal((await fetch(url + path)).status, 404)
    await t.test(path, async (t) => servesPageFile(t, opsUrl + path, type))
  }
  t.match(await (await fetch(`${opsUrl}/dashboard/page.js`)).text(), /uPlot\s+The MIT License \(MIT\)\s+Copyright/, 'with the licence of what is in it')
  for (const path of ['/dashboard/', '/dashboard/index.html', '/dashboard/..%2f..%2fpackage.json']) t.equal((await fetch(opsUrl + path)).status, 404, path)
  t.equal((await fetch(`${opsUrl}/dashboard/events`, { method: 'HEAD' })).status, 405)
})

t.test('what it says agrees with what was published', async (t) => {
  const { url, publish, listen } = await start(t)
  await publish('EARLIER', 50)
  const viewer = await Viewer.open(t, url)
  t.match(viewer.stream.headers, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no', 'x-content-type-options': 'nosniff' })
  t.strictSame(viewer.stream.retries, [1_000])
  const { version, ...instance } = await viewer.instance()
  t.match(instance, { pid: process.pid, node: process.version, broker: 'memory', everyMs: 1_000, keptMs: 900_000 })
  t.match(version, /^\d+\.\d+\.\d+/)
  t.ok(instance.startedAt < Date.now())

  await viewer.now()
  const first = await listen('SHOP')
  await Promise.all([listen('SHOP'), listen('OTHER'), listen('SHOP', '&lastEventId=unknown')])
  await Promise.all([publish('SHOP', 60), publish('OTHER', 20), publish('NOBODY', 40)])
  await first.published(60)
  const { byConnections, byRate, sample, redis, leaving } = await viewer.now(({ sample, byRate }) => sample.connections === 4 && byRate.length === 3)
  t.match(redis, { standing: true })
  t.equal(leaving, false)
  t.match(sample, { merchants: 2, probe: null, rejected: 0, slow: 0, dropped: 0 })
  for (const field of ['p50', 'p99', 'lag', 'busy', 'cpu', 'rss', 'heap'] as const) t.ok(sample[field]! >= 0, field)
  t.ok(sample.p50! <= sample.p99!)
  t.strictSame(byConnections.map(({ merchantId, connections }) => [merchantId, connections]), [['SHOP', 3], ['OTHER', 1]])
  t.strictSame(byRate.map(({ merchantId, connections }) => [merchantId, connections]), [['SHOP', 3], ['NOBODY', 0], ['OTHER', 1]], 'of what has come since somebody looks')
  t.ok(Math.abs(byRate[0]!.rate / byRate[2]!.rate - 3) < 0.001, 'in proportion')
  t.equal(byConnections[0]!.rate, byRate[0]!.rate)

  // All of the sampled seconds together: no more and no fewer.
  await viewer.now(({ sample: { at } }) => at! > sample.at!)
  const { samples } = viewer
  const total = (field: 'messages' | 'deliveries' | 'resumes' | 'gaps') => samples.slice(1).reduce((sum, one, i) => sum + one[field]! * (one.at! - samples[i]!.at!) / 1_000, 0)
  for (const [field, wanted] of [['messages', 120], ['deliveries', 200], ['resumes', 1], ['gaps', 1]] as const) {
    const got = total(field)
    t.ok(Math.abs(got / wanted - 1) < 0.2, `${field}: ${got} of ${wanted}`)
  }

  t.test('and what was is there for who comes later', async (t) => {
    const later = await Viewer.open(t, url)
    const past = await later.past()
    t.ok(past.at.length >= viewer.samples.length)
    for (const field of ['at', 'messages', 'p99', 'probe'] as const) t.strictSame(past[field].slice(-viewer.samples.length), viewer.samples.map((sample) => sample[field]), field)
  })
})

t.test('of many merchants, ten', async (t) => {
  const { url, publish, listen } = await start(t)
  const viewer = await Viewer.open(t, url)
  const merchants = Array.from({ length: 12 }, (_, i) => `m${i}`)
  await Promise.all(merchants.flatMap((merchant, i) => Array.from({ length: i < 2 ? 1 : i }, async () => listen(merchant))))
  await Promise.all(merchants.map(async (merchant, i) => publish(merchant, 5 + 5 * (11 - i))))
  const { byConnections, byRate } = await viewer.now(({ sample, byRate }) => sample.connections === 67 && byRate.length === 10)
  t.strictSame(byConnections.map(({ merchantId, connections }) => [merchantId, connections]), [11, 10, 9, 8, 7, 6, 5, 4, 3, 2].map((i) => [`m${i}`, i]))
  t.strictSame(byRate.map(({ merchantId }) => merchantId), merchants.slice(0, 10))
})

t.test('rates are those of the last 5 to 10 seconds', async (t) => {
  const rates = new Rates(0)
  const at = (ms: number) => Object.fromEntries(rates.read(ms))
  const have = (messages: Record<string, number>) => { for (const [merchantId, count] of Object.entries(messages)) for (let i = 0; i < count; i++) rates.add(merchantId) }
  have({ a: 30 })
  t.strictSame(at(10), { a: 30 }, 'a moment is taken for a second')
  t.strictSame(at(5_000), { a: 6 })
  have({ a: 10, b: 10 })
  t.strictSame(at(8_000), { a: 5, b: 1.25 })
  t.strictSame(at(10_000), { a: 4, b: 1 })
  t.strictSame(at(12_500), { a: 10 / 7.5, b: 10 / 7.5 }, 'what was before that is forgotten')
  t.strictSame(at(15_000), { a: 1, b: 1 })
  t.strictSame(at(20_000), {})
})

t.test('a tally is bounded, and knows those that matter', async (t) => {
  const tally = new Tally()
  for (let i = 0; i < 50_000; i++) {
    tally.add(`one of many ${i}`)
    if (i % 5 === 0) tally.add('much')
  }
  t.ok([...tally.merchants()].length <= 10_000)
  t.ok(tally.of('much') > 9_990 && tally.of('much') <= 10_000, `${tally.of('much')} of 10,000`)
})

t.test('quantiles are those of histogram_quantile', async (t) => {
  const seen = { bounds: [1, 2, 4], upTo: [10, 10, 18], count: 20, sum: 0 }
  t.equal(quantile(0.25, seen), 0.5)
  t.equal(quantile(0.5, seen), 1)
  t.equal(quantile(0.7, seen), 3)
  t.equal(quantile(0.99, seen), 4, 'what is beyond all bounds is at the last')
  t.same(quantile(0.5, { ...seen, upTo: [0, 0, 0], count: 0 }), NaN)
})

t.test('with OPS_KEY', async (t) => {
  const { opsUrl: url } = await start(t, { OPS_PORT: '0', OPS_KEY: `${KEY},${OTHER_KEY}`, TRUST_PROXY: '127.0.0.1' })
  const look = async (headers: Record<string, string>) => {
    const { status, ok, body } = await fetch(`${url}/dashboard/events`, { headers })
    if (ok) await body!.cancel()
    return status
  }
  const admitted = async (cookie: string, at = url) => (await (await fetch(`${at}/dashboard/session`, { headers: { cookie } })).json() as { admitted: boolean }).admitted

  t.test('nobody looks without one', async (t) => {
    const answer = await fetch(`${url}/dashboard/events`)
    t.equal(answer.status, 401)
    t.equal(answer.headers.get('www-authenticate'), 'Bearer')
    t.match(await answer.json(), { code: 'RTF_BAD_OPS_KEY' })
    t.equal(await look({ authorization: `Bearer ${'x'.repeat(32)}` }), 401)
    t.equal(await look({ authorization: `Basic ${KEY}` }), 401)
    t.equal(await look({ cookie: 'realtime_dashboard=' }), 401)
    t.equal(await admitted(''), false)
    t.equal((await enter(url, 'x'.repeat(32))).status, 401)
    t.equal((await fetch(`${url}/dashboard`)).status, 200, 'the page has nothing to hide')
    for (const path of ['/metrics', '/healthz', '/readyz']) t.equal((await fetch(url + path)).status, 200, `${path} takes no key`)
  })

  t.test('whoever has one does', async (t) => {
    for (const key of [KEY, OTHER_KEY]) t.equal(await look({ authorization: `Bearer ${key}` }), 200)
  })

  t.test('a browser shows it once', async (t) => {
    const answer = await enter(url, OTHER_KEY)
    t.equal(answer.status, 204)
    const [, ...attributes] = answer.headers.get('set-cookie')!.split('; ')
    t.strictSame(attributes.sort(), ['HttpOnly', 'Max-Age=43200', 'Path=/dashboard', 'SameSite=Strict'])
    t.match((await enter(url, KEY, { 'x-forwarded-proto': 'https' })).headers.get('set-cookie'), /; Secure/)
    const session = sessionOf(answer)
    t.equal(await admitted(session), true)
    t.equal(await look({ cookie: session }), 200)
    t.equal(await look({ cookie: session, authorization: `Bearer ${'x'.repeat(32)}` }), 401, 'a key that is shown is the one that counts')
    t.equal(await look({ cookie: session.replace(/\d{13}/, (time) => String(Number(time) + 1)) }), 401)
    t.equal(await look({ cookie: session.replace(/.$/, (last) => last === 'A' ? 'B' : 'A') }), 401)

    for (const [key, good] of [[OTHER_KEY, true], [KEY, false]] as const) {
      const { url: another } = await start(t, { OPS_KEY: key })
      t.equal(await admitted(session, another), good, 'it is good on every instance that has its key, and on no other')
    }
  })

  t.test('for 12 hours', async (t) => {
    const session = sessionOf(await enter(url, KEY))
    const viewer = await Viewer.open(t, url, { cookie: session })
    const [byKey] = await Promise.all([Viewer.open(t, url, { authorization: `Bearer ${KEY}` }), viewer.now()])
    const clock = install({ toFake: ['Date'], now: Date.now() + 12 * 3_600_000 })
    t.teardown(() => { clock.uninstall() })
    await viewer.stream.closed
    t.equal(await look({ cookie: session }), 401)
    await byKey.stream.events.next(({ event }) => event === 'now')
  })

  t.test('foreign pages have nothing from it', async (t) => {
    const headers = { authorization: `Bearer ${KEY}` }
    for (const [path, method] of [['/dashboard/events', 'GET'], ['/dashboard/session', 'GET'], ['/dashboard/session', 'POST']] as const) {
      for (const foreign of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
        t.equal((await ask(url + path, method, { ...headers, ...foreign }, method === 'POST' ? '{}' : '')).statusCode, 403, `${method} ${path}, ${JSON.stringify(foreign)}`)
      }
    }
    t.equal((await ask(`${url}/dashboard/events`, 'GET', { ...headers, origin: url, 'sec-fetch-site': 'same-origin' })).statusCode, 200)
    t.equal((await ask(`${url}/dashboard/events`, 'GET', { ...headers, 'sec-fetch-site': 'none' })).statusCode, 200, 'an address that somebody typed is of no page')
  })

  t.test('who tries too often waits', async (t) => {
    let answer: Response
    do answer = await enter(url, 'x'.repeat(32), { 'x-forwarded-for': '192.0.2.1' }); while (answer.status === 401)
    t.equal(answer.status, 429)
    t.ok(Number(answer.headers.get('retry-after')) > 0)
    t.equal((await enter(url, KEY, { 'x-forwarded-for': '192.0.2.2' })).status, 204, 'and nobody else')
  })
})

t.test('without OPS_KEY, whoever reaches the port may look, and there is no session to be had', async (t) => {
  const { url } = await start(t)
  t.strictSame(await (await fetch(`${url}/dashboard/session`)).json(), { admitted: true, full: false })
  t.equal((await enter(url, KEY)).status, 404)
})

t.test('twenty may look at a time', async (t) => {
  const { url } = await start(t)
  const viewers = await Promise.all(Array.from({ length: 20 }, async () => Viewer.open(t, url)))
  const answer = await fetch(`${url}/dashboard/events`)
  t.equal(answer.status, 429)
  t.equal(answer.headers.get('retry-after'), '5')
  viewers[0]!.stream.close()
  while ((await fetch(`${url}/dashboard/events`).then(async ({ status, body }) => body!.cancel().then(() => status))) !== 200);

  // It would have no socket, and so nothing that says that it has left.
  const pipelined = new RawClient(t, Number(new URL(url).port), 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /dashboard/events HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(await pipelined.until('"ok"}HTTP/1.1 '), /HTTP\/1\.1 400 Bad Request/, 'one that waits for its turn to be answered takes no place')
})

t.test('who looks sees the service end, and is not waited for', async (t) => {
  const service = await Service.start(t, { OPS_PORT: '0', DRAIN_DELAY_MS: '1200' })
  const viewer = await Viewer.open(t, service.opsUrl)
  service.signal('SIGTERM')
  await viewer.now(({ leaving }) => leaving)
  await viewer.stream.closed
  t.ok(viewer.stream.response.complete, 'the stream is ended, and not cut')
  t.strictSame(await service.exit, { code: 0, signal: null })
  t.ok(service.printed.includes(`Watch:    ${service.opsUrl.replace('127.0.0.1', 'localhost')}/dashboard`))

  const { server, url } = await start(t)
  const another = await Viewer.open(t, url)
  await server.close()
  await another.stream.closed
  t.ok(another.stream.response.complete)
})

t.test('who comes when all have been sent away is not let in any more', async (t) => {
  const { server, url, opsUrl } = await start(t, { OPS_PORT: '0' })
  const viewer = await Viewer.open(t, opsUrl)
  // A request that has begun, and holds up the end.
  const head = 'POST /api/realtime/merchants/a/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
  const slow = new RawClient(t, Number(new URL(url).port), `${head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`)
  await slow.until('100 Continue')
  const closed = server.close()
  await viewer.stream.closed
  const late = await fetch(`${opsUrl}/dashboard/events`)
  t.equal(late.status, 503)
  t.equal(late.headers.get('retry-after'), '2')
  t.match(await late.json(), { code: 'RTF_DRAINING' })
  slow.send('{}')
  await closed
})

t.test('each number is what it is called, per second or in milliseconds', async (t) => {
  const clock = install({ toFake: ['setInterval', 'clearInterval'] })
  t.teardown(() => { clock.uninstall() })
  const each = { messages: 1, deliveries: 2, bytes: 3, resumes: 4, gaps: 5, rejected: 6, slow: 7, dropped: 8 }
  let n = 0
  const snapshot = async () => {
    n++
    return {
      connections: 30,
      merchants: 20,
      ...Object.fromEntries(Object.entries(each).map(([field, much]) => [field, much * 10 * n])) as typeof each,
      latency: { bounds: [1, 2, 4], upTo: [0, n, n], count: n, sum: 1.5 * n },
      probe: { bounds: [1], upTo: [2 * n], count: 2 * n, sum: 0.008 * n },
    }
  }
  const hub = { audiences: () => [], audienceOf: () => 0, onMessage: undefined, leaving: false }
  const feed = new Feed({ instance: {} as Instance, snapshot, hub, broker: { subscription: { state: 'standing', since: 0 } } })
  t.teardown(() => { feed.end() })
  feed.start()
  await clock.tickAsync(2_000)
  const given: string[] = []
  feed.add(new Writable({ decodeStrings: false, write: (text: string, _encoding, taken) => { given.push(text); taken() } }), Infinity)
  await clock.tickAsync(1_000)
  const { sample } = JSON.parse(/^event: now\ndata: (.*)$/m.exec(given[1]!)![1]!) as Now
  t.match(sample, { connections: 30, merchants: 20, p50: 1_500, p99: 1_990, probe: 4 })
  for (const [field, much] of Object.entries(each)) t.equal((sample[field as keyof typeof each]! / sample.messages!).toFixed(3), much.toFixed(3), field)
  t.ok(Math.abs(sample.rss! / process.memoryUsage.rss() - 1) < 0.5, 'in bytes')
})

t.test('over a long time', async (t) => {
  const clock = install({ toFake: ['setInterval', 'clearInterval'] })
  t.teardown(() => { clock.uninstall() })
  const hub = { audiences: () => [], audienceOf: () => 0, onMessage: undefined as ((merchantId: string) => void) | undefined, leaving: false }
  const feed = new Feed({
    instance: {} as Instance, snapshot: async () => noMetrics.snapshot(), hub, broker: { subscription: { state: 'standing', since: 0 } },
  })
  t.teardown(() => { feed.end() })
  feed.start()
  await clock.tickAsync(10_000)
  // What it is given, and whether it is taken at once or never.
  const viewer = (takes: boolean, until = Infinity) => {
    const given: string[] = []
    const writable = new Writable({
      decodeStrings: false,
      write (text: string, _encoding, taken) {
        given.push(text)
        if (takes) taken()
      },
    })
    feed.add(writable, until)
    const [, past] = /^event: past\ndata: (.*)$/m.exec(given[0]!)!
    return { given, writable, past: JSON.parse(past!) as Past }
  }
  const [reader, sleeper] = [viewer(true), viewer(false)]
  t.equal(reader.past.at.length, 10, 'what was before anybody looked is there')
  const [expired, asleep] = [viewer(true, 0), viewer(false, 0)]
  await clock.tickAsync(2_000)
  t.equal(expired.writable.writableFinished, true, 'whose time is over is sent away')
  t.equal(asleep.writable.destroyed, true, 'and is cut off, if it does not take that')
  await clock.tickAsync(1_000_000)
  t.equal(sleeper.writable.destroyed, true, 'who does not read is cut off')
  t.equal(reader.writable.destroyed, false)
  t.equal(reader.given.length, 1_003, 'and who does goes on')
  t.type(hub.onMessage, 'function')

  const late = viewer(true)
  t.equal(late.past.at.length, 900, 'a quarter of an hour is kept')

  const left = viewer(true)
  left.writable.destroy(new Error('reset'))
  for (const { writable } of [reader, late]) writable.destroy()
  await once(late.writable, 'close')
  t.equal(hub.onMessage, undefined, 'nothing is counted while nobody looks')
})

t.test('numbers are shown in three digits, with their unit', async (t) => {
  const shown = {
    whole: [whole(0), whole(12_345), whole(null)],
    rate: [rate(0.125), rate(12.34), rate(1_234.5), rate(123_456), rate(1_234_567), rate(undefined)],
    milliseconds: [milliseconds(0.25), milliseconds(12.34), milliseconds(1_500), milliseconds(null)],
    percent: [percent(0.55), percent(55.5), percent(null)],
    bytes: [bytes(999), bytes(1_500), bytes(123_456_789), bytes(2e9), bytes(null)],
    duration: [duration(-1), duration(59_999), duration(60_000), duration(7_199_999), duration(200_000_000)],
  }
  t.strictSame(JSON.parse(JSON.stringify(shown).replaceAll('\u00a0', ' ')), {
    whole: ['0', '12,345', '–'],
    rate: ['0.13', '12.3', '1,235', '123 k', '1.23 M', '–'],
    milliseconds: ['0.25 ms', '12.3 ms', '1.5 s', '–'],
    percent: ['0.6 %', '56 %', '–'],
    bytes: ['999 B', '1.5 kB', '123 MB', '2 GB', '–'],
    duration: ['0 s', '59 s', '1 min', '1 h', '2 d'],
  })
  const moment = new Date(2026, 10, 6, 9, 5, 3).getTime()
  t.strictSame([clock(moment / 1_000), day(moment)], ['09:05:03', '6 Nov, 09:05'], 'by the clock of who looks')
})

t.test('what a chart draws has a hole where there was nothing', async (t) => {
  const sample = (at: number) => Object.fromEntries(FIELDS.map((field) => [field, field === 'at' ? at * 1_000 : 1])) as Now['sample']
  const past = (...times: number[]) => Object.fromEntries(FIELDS.map((field) => [field, times.map((at) => sample(at)[field])])) as unknown as Past
  const series = new Series()
  t.strictSame(series.span, [-120, 0], 'no less than two minutes')
  series.begin(past(), 1_000, 10_000)
  series.begin(past(101, 102), 1_000, 10_000)
  series.add(sample(103))
  t.strictSame([series.of('at'), series.of('rss')], [[101, 102, 103], [1, 1, 1]])
  t.strictSame(series.span, [93, 103])
  series.begin(past(102, 103, 104), 1_000, 10_000)
  t.strictSame(series.of('at'), [101, 102, 103, 104], 'who comes back gets what it has once more')
  series.begin(past(108, 109), 1_000, 10_000)
  t.strictSame([series.of('at'), series.of('rss')], [[101, 102, 103, 104, 105, 108, 109], [1, 1, 1, 1, null, 1, 1]], 'of another process, behind that of the one before')
  series.add(sample(109))
  t.equal(series.end, 109)
  series.add(sample(113))
  t.strictSame(series.of('at'), [103, 104, 105, 108, 109, 110, 113], 'what is too old goes')
  t.equal(series.at('at', -1), 113)
  series.add(sample(107))
  t.strictSame(series.of('at'), [103, 104, 105, 107], 'where a clock was set back, what it says now is what is so')
  series.begin(past(106, 107, 20, 21), 1_000, 10_000)
  t.strictSame([series.of('at'), series.span], [[20, 21], [11, 21]], 'for who comes then, too')
})
