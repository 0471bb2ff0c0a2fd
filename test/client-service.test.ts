import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { createRealtimeClient, type CompletionEvent, type ErrorEvent, type ProgressEvent, type PublishedEvents, type StageEvent } from '../src/client/index.js'
import { Arrivals } from './helpers/arrivals.js'
import { Balancer } from './helpers/balancer.js'
import { Listener, numbered } from './helpers/listener.js'
import { Proxy } from './helpers/proxy.js'
import { TestRedis } from './helpers/redis.js'
import { Service, progress } from './helpers/service.js'
import { inSeconds, mint } from './helpers/tokens.js'

/*
 * Our own client, by fetch, and the service. When it comes back, and when it does not, in detail: test/client.test.ts.
 */

const SECRET = 's'.repeat(32)
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

const shared = await Service.start(t, { RETRY_MS: '100', PUBLISH_RATE_PER_SECOND: '0' })
// They wait more than they work.
t.jobs = 4

t.test('what is published, it hands out by name, in the type of its schema', { buffered: true }, async (t) => {
  const redis = await TestRedis.start(t)
  const service = await Service.start(t, { REDIS_URL: redis.url })
  await service.log.first(({ msg }) => msg === 'subscribed')
  interface Invoice { readonly type: 'invoice', readonly cents: number }
  const client = createRealtimeClient<PublishedEvents & { invoice: Invoice }>({ url: `${service.url}/api/realtime/events`, merchantId: 'TEST' })
  t.teardown(client.close)
  const heard = new Arrivals<string>()
  // That these compile is half of the test.
  client.on('progress', ({ poId, progress }: ProgressEvent) => { heard.add(`progress ${poId} ${progress.toFixed()}`) })
  client.on('progress', ({ etaMs }) => { heard.add(`eta ${String(etaMs?.toFixed())}`) })
  client.on('stage', ({ stage, status }: StageEvent) => { heard.add(`stage ${stage} ${status satisfies 'started' | 'completed'}`) })
  client.on('completion', ({ confidence }: CompletionEvent) => { heard.add(`completion ${String(confidence?.toFixed(1))}`) })
  client.on('error', ({ error }: ErrorEvent, { raw }) => { heard.add(`error ${error} ${JSON.stringify(raw)}`) })
  client.on('invoice', ({ cents }) => { heard.add(`invoice ${cents.toFixed()}`) })
  client.on('other', ({ what }) => { heard.add(`other ${typeof what satisfies string}`) })
  client.on('connection_error', ({ code }) => { heard.add(`connection: ${code}`) })
  const opened = new Arrivals<string>()
  client.subscribe(() => { opened.add(client.state) })
  await opened.first((state) => state === 'open')

  const spread = '{\n  "type": "error",\r\n  "error": "zwölf",\r  "poId": "1", "stage": "s" }'
  for (const [topic, payload] of [
    ['progress', '{"type":"progress","poId":"1","progress":50,"message":"half way"}'],
    ['stage', '{"type":"stage","stage":"ai","poId":"1","status":"started","message":""}'],
    ['completion', '{"type":"completion","stage":"ai","poId":"1","confidence":0.9}'],
    ['error', spread],
    ['invoice', '{"type":"invoice","cents":100}'],
    ['other', '{"what":[]}'],
  ] as const) await redis.cli('PUBLISH', `merchant:TEST:${topic}`, payload)
  await heard.first((text) => text.startsWith('other'))
  t.strictSame(heard.all, [
    'progress 1 50', 'eta undefined', 'stage ai started', 'completion 0.9', `error zwölf ${JSON.stringify(spread.replaceAll(/\r\n?/g, '\n'))}`, 'invoice 100', 'other object',
  ], 'a published error is no error of the connection')

  service.signal('SIGKILL')
  await heard.first((text) => text.startsWith('connection'))
  t.equal(heard.all.at(-1), 'connection: CONNECTION_LOST')
  t.equal(heard.all.filter((text) => text.startsWith('error')).length, 1, 'which is no published error')
})

t.test('ten thousand events at once come in order', { buffered: true }, async (t) => {
  const listener = await Listener.open(t, shared, { merchantId: 'burst' })
  const all = upTo(10_000)
  for (let at = 0; at < all.length; at += 100) {
    const { status } = await shared.publish('burst', all.slice(at, at + 100).map((n) => numbered(n)))
    if (status !== 202) throw new Error(`status ${status}`)
  }
  await listener.number(all.length)
  t.strictSame(listener.story, all)
})

t.test('only the topics that it asks for', { buffered: true }, async (t) => {
  const listener = await Listener.open(t, shared, { merchantId: 'topics', topics: ['stage', 'numbered'] })
  await shared.publish('topics', [progress(1), numbered(1)])
  await listener.number(1)
  t.strictSame(listener.story, [1])
})

t.test('cut off again and again, it misses nothing and gets nothing twice', { buffered: true }, async (t) => {
  const balancer = await Balancer.start(t, [shared])
  await balancer.dealsTo(shared)
  const listener = await Listener.open(t, balancer, { merchantId: 'cut' })
  let n = 0
  for (let times = 1; times <= 5; times++) {
    await shared.publish('cut', [numbered(++n), numbered(++n)])
    await listener.number(n - 1)
    balancer.cut()
    await listener.states.count(times, (state) => state === 'reconnecting')
    await shared.publish('cut', [numbered(++n), numbered(++n)])
    balancer.mend()
    await listener.opened(times + 1)
  }
  await shared.publish('cut', numbered(++n))
  await listener.number(n)
  t.strictSame(listener.story, upTo(n))
  for (const error of listener.errors.all) t.equal(error.code, 'CONNECTION_LOST')
})

t.test('its instance is replaced: on another one it goes on where it was', { buffered: true }, async (t) => {
  const redis = await TestRedis.start(t)
  const env = { REDIS_URL: redis.url, RETRY_MS: '100', DRAIN_DELAY_MS: '300' }
  const publish = async (n: number) => { await redis.cli('PUBLISH', 'merchant:TEST:numbered', JSON.stringify(numbered(n))) }
  const [old, fresh] = await Promise.all([Service.start(t, env), Service.start(t, { ...env, READY_WARMUP_MS: '5500' })])
  const balancer = await Balancer.start(t, [old])
  await balancer.dealsTo(old)
  const listener = await Listener.open(t, balancer)
  balancer.add(fresh)
  await balancer.dealsTo(fresh)
  await publish(1)
  await listener.number(1)
  old.signal('SIGTERM')
  await listener.opened(2)
  await publish(2)
  await listener.number(2)
  t.strictSame(listener.story, [1, 'close: draining', 2])
  t.strictSame(listener.errors.all, [], 'no error at all')
  t.strictSame(listener.states.all, ['connecting', 'open', 'reconnecting', 'open'])
  t.equal(await fresh.metric('connections'), 1)
})

t.test('there is no room: it comes in once there is', { buffered: true }, async (t) => {
  const service = await Service.start(t, { RETRY_MS: '100', MAX_CONNECTIONS: '1' })
  const first = await Listener.open(t, service)
  const second = new Listener(t, { url: `${service.url}/api/realtime/events`, merchantId: 'TEST' })
  await second.heard.count(1)
  t.strictSame(second.story, ['close: over_capacity'])
  t.notOk(second.states.all.includes('open'))
  first.client.close()
  await second.opened(1)
  t.strictSame(second.errors.all, [])
})

t.test('too many attempts: it is told so, and goes on trying', { buffered: true }, async (t) => {
  const service = await Service.start(t, { CONNECT_RATE_PER_MINUTE: '1' })
  const listener = await Listener.open(t, service)
  listener.client.reconnect()
  const error = await listener.errors.first(() => true)
  t.match(error, { status: 429, code: 'RTF_RATE_EXCEEDED' })
  t.ok(error.retryAfterMs! > 50_000 && error.retryAfterMs! <= 60_000, `Retry-After: ${error.retryAfterMs} ms`)
  t.equal(listener.client.state, 'reconnecting')
})

t.test('what cannot be answered is said, with the code that the service has for it', { buffered: true }, async (t) => {
  for (const [options, status, code] of [
    [{ merchantId: undefined }, 401, 'RTF_MERCHANT_MISSING'],
    [{ merchantId: 'a b' }, 400, 'RTF_BAD_MERCHANT_ID'],
    [{ url: `${shared.url}/nowhere` }, 404, 'RTF_NOT_FOUND'],
    [{ url: `${shared.url}/healthz` }, 200, 'NOT_A_STREAM'],
  ] as const) {
    const listener = new Listener(t, { url: `${shared.url}/api/realtime/events`, merchantId: 'TEST', ...options })
    await listener.states.first((state) => state === 'closed')
    t.match(listener.client.error, { status, code, message: String })
  }
})

t.test('a gap', { buffered: true }, async (t) => {
  const before = Date.now()
  const listener = await Listener.open(t, shared, { url: `${shared.url}/api/realtime/events?lastEventId=nonsense` })
  const gap = await listener.heard.first(({ name }) => name === 'gap')
  t.match(gap.data, { type: 'gap', reason: 'unknown_cursor', from: 0 })
  t.ok(Number(gap.data!.to) >= before)
  t.equal(gap.id, listener.client.lastEventId)
  listener.client.on('gap', ({ reason, from, to }) => `${reason satisfies string} ${from.toFixed()} ${to.toFixed()}`)
})

t.test('with JWTs', { buffered: true }, async (t) => {
  const service = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: SECRET, RETRY_MS: '100' })
  const url = `${service.url}/api/realtime/events`
  const tokenFor = async (seconds: number) => mint({ merchantId: 'TEST', exp: inSeconds(seconds) }, SECRET)

  t.test('one that has run out is replaced, as is one that runs out', async (t) => {
    const tokens = [tokenFor(-60), tokenFor(2), tokenFor(60)]
    const listener = new Listener(t, { url, getToken: async () => tokens.shift()! })
    await listener.opened(2)
    t.match(listener.errors.all, [{ status: 401, code: 'RTF_TOKEN_EXPIRED' }])
    t.strictSame(listener.story, ['close: token_expired'])
    t.strictSame(listener.states.all, ['connecting', 'reconnecting', 'open', 'reconnecting', 'open'])
  })

  t.test('refused twice in a row, it gives up', async (t) => {
    const listener = new Listener(t, { url, getToken: () => 'x.y.z' })
    await listener.states.first((state) => state === 'closed')
    t.match(listener.errors.all, [{ status: 401, code: 'RTF_BAD_TOKEN' }, { status: 401, code: 'RTF_BAD_TOKEN' }])
    t.match(listener.client.error, { code: 'RTF_BAD_TOKEN', message: 'the token is not accepted: it is no well-formed JWT' })
  })

  t.test("another merchant's will never do", async (t) => {
    const listener = new Listener(t, { url, merchantId: 'OTHER', getToken: async () => tokenFor(60) })
    await listener.states.first((state) => state === 'closed')
    t.match(listener.client.error, { status: 403, code: 'RTF_FOREIGN_MERCHANT' })
  })

  t.test('a ticket is got for each connection', async (t) => {
    const balancer = await Balancer.start(t, [service])
    await balancer.dealsTo(service)
    const tickets: string[] = []
    const getTicket = async () => {
      const answer = await fetch(`${service.url}/api/realtime/ticket`, { method: 'POST', headers: { authorization: `Bearer ${await tokenFor(60)}` } })
      const { ticket } = await answer.json() as { ticket: string }
      tickets.push(ticket)
      return ticket
    }
    const listener = await Listener.open(t, balancer, { merchantId: undefined, getTicket })
    for (let n = 1; n <= 3; n++) {
      const later = listener.opened(n + 1)
      balancer.cut()
      await listener.states.count(n, (state) => state === 'reconnecting')
      await service.publish('TEST', numbered(n))
      balancer.mend()
      await later
      await listener.number(n)
    }
    t.equal(new Set(tickets).size, tickets.length)
    t.ok(tickets.length >= 4)
    t.strictSame(listener.story, [1, 2, 3], 'with the cursor beside the ticket')
    t.notOk(listener.errors.all.some(({ status }) => status === 401))
  })

  t.test('a ticket that was used is replaced', async (t) => {
    const answer = await fetch(`${service.url}/api/realtime/ticket`, { method: 'POST', headers: { authorization: `Bearer ${await tokenFor(60)}` } })
    const { ticket } = await answer.json() as { ticket: string }
    await Listener.open(t, service, { merchantId: undefined, getTicket: () => ticket })
    const second = new Listener(t, { url, getTicket: () => ticket })
    await second.states.first((state) => state === 'closed')
    t.match(second.errors.all, [{ status: 401, code: 'RTF_BAD_TICKET' }, { status: 401, code: 'RTF_BAD_TICKET' }])
  })
})

t.test('a connection that is dead without a word is noticed, and what was missed comes', { buffered: true }, async (t) => {
  const heartbeatMs = 400
  const service = await Service.start(t, { HEARTBEAT_MS: String(heartbeatMs), RETRY_MS: '100' })
  const proxy = await Proxy.start(t, service.port)
  const listener = await Listener.open(t, { url: `http://127.0.0.1:${proxy.port}` }, { heartbeatMs })
  await service.publish('TEST', numbered(1))
  await listener.number(1)
  const silent = listener.errors.next(({ code }) => code === 'SILENT')
  const cutAt = Date.now()
  proxy.cut()
  await service.publish('TEST', numbered(2))
  await silent
  t.ok(Date.now() - cutAt >= heartbeatMs, 'not for the first bytes that are late')
  await listener.number(2)
  await service.publish('TEST', numbered(3))
  await listener.number(3)
  t.strictSame(listener.story, [1, 2, 3])
})

t.test('closed, at whatever moment, it keeps no process alive', { buffered: true }, async (t) => {
  const script = `
    import { createRealtimeClient } from './dist/client/index.js'
    const create = () => createRealtimeClient({ url: process.argv[1], merchantId: 'TEST', getTicket: () => hanging })
    const hanging = new Promise(() => {})
    create().close()
    const connecting = createRealtimeClient({ url: process.argv[1], merchantId: 'TEST' })
    const waiting = createRealtimeClient({ url: 'http://127.0.0.1:1', merchantId: 'TEST' })
    setImmediate(() => { connecting.close() })
    waiting.on('connection_error', () => { setImmediate(() => { waiting.close() }) })
    const open = createRealtimeClient({ url: process.argv[1], merchantId: 'TEST' })
    open.subscribe(() => { if (open.state === 'open') open.close() })
    process.on('exit', () => { console.log(connecting.state, waiting.state, open.state) })`
  // Only what is left behind could keep it from ending by itself.
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, `${shared.url}/api/realtime/events`])
  t.equal(stdout, 'closed closed closed\n')
})
