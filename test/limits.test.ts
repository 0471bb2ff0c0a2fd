import { connect } from 'node:net'
import { setTimeout as passed } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { RawClient } from './helpers/raw.js'
import { TestRedis } from './helpers/redis.js'
import { Service, progress } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

const KEY = 'k'.repeat(32)
const OTHER_KEY = 'o'.repeat(32)

t.test('MAX_CONNECTIONS, MAX_CONNECTIONS_PER_MERCHANT', async (t) => {
  const service = await Service.start(t, { MAX_CONNECTIONS: '3', MAX_CONNECTIONS_PER_MERCHANT: '2', RETRY_MS: '1000' })
  const first = await Stream.open(t, service.streamUrl('a'))
  await Stream.open(t, service.streamUrl('a'))

  const told = async (merchantId: string) => {
    const stream = await Stream.request(t, service.streamUrl(merchantId))
    t.equal(stream.status, 200, 'a status other than 200 would silence an EventSource for good')
    t.equal(stream.headers['content-type'], 'text/event-stream')
    await stream.closed
    t.strictSame(stream.events.all.map(({ event, data }) => [event, JSON.parse(data) as unknown]), [['close', { type: 'close', reason: 'over_capacity', reconnect: true }]])
    t.ok(stream.retries[0]! >= 1_500, 'longer than usual')
    t.notMatch(stream.raw, /^id:/m, 'it keeps the cursor that it has')
  }
  await told('a')
  t.equal(await service.metric('connections_rejected_total{reason="merchant_over_capacity"}'), 1)
  await Stream.open(t, service.streamUrl('b'))
  await told('c')
  t.equal(await service.metric('connections_rejected_total{reason="over_capacity"}'), 1)
  t.strictSame([await service.metric('connections'), await service.metric('connections_limit')], [3, 3])

  await Promise.all(Array.from({ length: 50 }, async () => {
    const hasty = new RawClient(t, service.port, 'GET /api/realtime/events?merchantId=a HTTP/1.1\r\nHost: x\r\n\r\n')
    hasty.socket.once('data', () => { hasty.reset() })
    await hasty.closed
  }))
  await service.publish('a', progress(1))
  t.equal((await first.published(1)).length, 1, 'those inside are not touched')
  first.close()
  await service.log.first(({ msg }) => msg === 'stream closed')
  await Stream.open(t, service.streamUrl('a'))
})

t.test('the limits hold for clients whose tickets are all told to be good in one turn', async (t) => {
  const redis = await TestRedis.start(t)
  const service = await Service.start(t, { REDIS_URL: redis.url, MAX_CONNECTIONS_PER_MERCHANT: '2' })
  await service.log.first(({ msg }) => msg === 'subscribed')
  const tickets = await Promise.all(Array.from({ length: 60 }, async () => {
    const answer = await fetch(`${service.url}/api/realtime/ticket?merchantId=TEST`, { method: 'POST' })
    return (await answer.json() as { ticket: string }).ticket
  }))
  const streams = await Promise.all(tickets.map((ticket) => Stream.request(t, `${service.url}/api/realtime/events?ticket=${ticket}`)))
  t.equal(await service.metric('connections'), 2)
  t.equal(await service.metric('connections_rejected_total{reason="merchant_over_capacity"}'), 58)
  t.ok(streams.every(({ status }) => status === 200))
})

t.test('CONNECT_RATE_PER_MINUTE', async (t) => {
  const service = await Service.start(t, { CONNECT_RATE_PER_MINUTE: '3' })
  const inside = await Stream.open(t, service.streamUrl('TEST'))
  const attempt = async (method: string, query = '?merchantId=TEST') => {
    const abort = new AbortController()
    const answer = await fetch(`${service.url}/api/realtime/events${query}`, { method, signal: abort.signal })
    const told = answer.status === 200 ? undefined : method === 'HEAD' ? await answer.text() : await answer.json()
    abort.abort()
    return { status: answer.status, retryAfter: answer.headers.get('retry-after'), told }
  }
  t.match(await attempt('HEAD'), { status: 200, retryAfter: null })
  t.match(await attempt('GET', ''), { status: 401 }, 'one in vain is one, too')

  const refused = await attempt('GET', '')
  t.match(refused, { status: 429, told: { code: 'RTF_RATE_EXCEEDED', statusCode: 429, message: 'too many attempts to open a stream; see Retry-After' } }, 'before it is asked who it is')
  const seconds = Number(refused.retryAfter)
  t.ok(seconds > 0 && seconds <= 60, `Retry-After: ${seconds}`)
  t.match(await attempt('HEAD'), { status: 429 })
  t.equal(await service.metric('connections_rejected_total{reason="rate_limited"}'), 1, 'HEAD opens no stream')

  const ticket = async () => (await fetch(`${service.url}/api/realtime/ticket?merchantId=TEST`, { method: 'POST' })).status
  t.strictSame([await ticket(), await ticket(), await ticket(), await ticket()], [200, 200, 200, 429], 'tickets are counted by themselves')

  t.equal((await service.publish('TEST', progress(1))).status, 202)
  await inside.published(1)
  t.notOk(Object.keys(inside.headers).some((name) => name.startsWith('x-ratelimit')), 'nothing but what is needed is said')
})

t.test('TRUST_PROXY says whose X-Forwarded-For is believed', async (t) => {
  /** Statuses of attempts that differ in this header only, where one attempt is all that an address has. */
  const statuses = async (t: Test, env: Record<string, string>, ...forwarded: string[]) => {
    const service = await Service.start(t, { CONNECT_RATE_PER_MINUTE: '1', ...env })
    const all: number[] = []
    for (const addresses of forwarded) all.push((await fetch(service.streamUrl('TEST'), { method: 'HEAD', headers: { 'x-forwarded-for': addresses } })).status)
    return all
  }
  const table: Array<[name: string, env: Record<string, string>, forwarded: string[], expected: number[]]> = [
    ['unset: nobody’s', {}, ['1.1.1.1', '2.2.2.2'], [200, 429]],
    ['a list without the peer: nobody’s', { TRUST_PROXY: '10.0.0.0/8,192.0.2.1' }, ['1.1.1.1', '2.2.2.2'], [200, 429]],
    ['a list with the peer: its', { TRUST_PROXY: '10.0.0.0/8,127.0.0.1' }, ['1.1.1.1', '2.2.2.2', '1.1.1.1'], [200, 200, 429]],
    ['a list with the peer: what the client made up in front of it changes nothing', { TRUST_PROXY: '127.0.0.0/8' }, ['6.6.6.6, 1.1.1.1', '7.7.7.7, 1.1.1.1'], [200, 429]],
    ['one hop: the last address', { TRUST_PROXY: '1' }, ['6.6.6.6, 1.1.1.1', '7.7.7.7, 1.1.1.1', '1.1.1.1, 2.2.2.2'], [200, 429, 200]],
    ['two hops: the last but one', { TRUST_PROXY: '2' }, ['6.6.6.6, 1.1.1.1, 10.0.0.1', '7.7.7.7, 1.1.1.1, 10.0.0.2', '2.2.2.2, 10.0.0.1'], [200, 429, 200]],
    ['what is no address is that of the peer', { TRUST_PROXY: '1' }, ['made up', 'x'.repeat(8_000)], [200, 429]],
    ['IPv6: a client has a /64', { TRUST_PROXY: '1' }, ['2001:db8::1', '2001:db8::2:1', '2001:db8:0:1::1'], [200, 429, 200]],
  ]
  for (const [name, env, forwarded, expected] of table) {
    t.test(name, async (t) => t.strictSame(await statuses(t, env, ...forwarded), expected))
  }
})

t.test('PUBLISH_RATE_PER_SECOND', async (t) => {
  /** Sends so many requests at once; how many were let through, and one that was not. */
  const publishAtOnce = async (service: Service, n: number, key?: string) => {
    const answers = await Promise.all(Array.from({ length: n }, () => service.publish('TEST', progress(1), key === undefined ? {} : { authorization: `Bearer ${key}` })))
    return { published: answers.filter(({ status }) => status === 202).length, refused: answers.find(({ status }) => status === 429) }
  }

  t.test('is of each key', async (t) => {
    const service = await Service.start(t, { NODE_ENV: 'test', PUBLISH_KEY: `${KEY},${OTHER_KEY}`, PUBLISH_RATE_PER_SECOND: '5' })
    const client = await Stream.open(t, service.streamUrl('TEST'))
    // Who has no key takes nothing away from who has one.
    for (let i = 0; i < 10; i++) t.equal((await service.publish('TEST', progress(1))).status, 401)
    let windows = 0
    for (const key of [KEY, OTHER_KEY]) {
      const startedAt = performance.now()
      const { published, refused } = await publishAtOnce(service, 40, key)
      windows += 1 + Math.floor((performance.now() - startedAt) / 1_000)
      t.ok(published >= 5 && published <= 5 * windows, `${published} of 40`)
      t.equal(refused?.headers.get('retry-after'), '1')
      t.match(await refused?.json(), { code: 'RTF_RATE_EXCEEDED', message: 'too many requests to publish; see Retry-After' })
    }
    t.ok((await client.published(10)).length >= 10)

    // It is refused by its head: nobody waits for the body.
    const body = new RawClient(t, service.port)
    do body.send(`POST /api/realtime/merchants/TEST/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`)
    while (await Promise.race([body.until('RTF_RATE_EXCEEDED').then(() => false), passed(20, true)]))

    let status
    do status = (await service.publish('TEST', progress(1), { authorization: `Bearer ${KEY}` })).status
    while (status === 429)
    t.equal(status, 202, 'the next window is a new one')
  })

  t.test('without keys, of all together', async (t) => {
    const service = await Service.start(t, { PUBLISH_RATE_PER_SECOND: '5' })
    t.ok((await publishAtOnce(service, 40)).refused)
  })

  t.test('0 is any number', async (t) => {
    const service = await Service.start(t, { PUBLISH_RATE_PER_SECOND: '0' })
    t.equal((await publishAtOnce(service, 1_500)).published, 1_500)
  })
})

t.test('who does not say what they want is cut off, and nobody else', async (t) => {
  const service = await Service.start(t)
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  const startedAt = performance.now()
  const cutOff = async (client: RawClient) => {
    await client.closed
    t.match(client.answer, /^HTTP\/1\.1 408 [^]*RTF_REQUEST_TIMEOUT/)
    const ms = performance.now() - startedAt
    t.ok(ms > 9_000 && ms < 15_000, `${ms} ms`)
  }
  const silent = new RawClient(t, service.port)
  const slow = new RawClient(t, service.port, 'GET /healthz HTTP/1.1\r\nX: ')
  const slowBody = new RawClient(t, service.port, 'POST /api/realtime/merchants/TEST/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"')
  // One that does not take the end for an end, and goes on.
  const stubborn = connect({ port: service.port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => { /* 'close' follows. */ }).resume()
  stubborn.write('GET /healthz HTTP/1.1\r\nX: ')
  t.teardown(() => { stubborn.destroy() })
  const gone = new Promise<void>((resolve) => { stubborn.on('close', () => { resolve() }) })
  const dripping = setInterval(() => {
    slow.send('x')
    slowBody.send('x')
    stubborn.write('x')
  }, 1_000)
  t.teardown(() => { clearInterval(dripping) })
  await Promise.all([cutOff(silent), cutOff(slow), gone])
  t.ok(performance.now() - startedAt < 20_000)
  // A body has more time than a head, and no more of it for each byte.
  await slowBody.closed
  t.match(slowBody.answer, /^HTTP\/1\.1 408 [^]*RTF_REQUEST_TIMEOUT/)
  const ms = performance.now() - startedAt
  t.ok(ms > 29_000 && ms < 40_000, `${ms} ms`)

  await service.publish('TEST', progress(1))
  t.equal((await stream.published(1)).length, 1)
  t.equal(await service.metric('connections'), 1)
})

t.test('who sends on and on and waits for no answer is cut off', async (t) => {
  const service = await Service.start(t)
  const pipelined = new RawClient(t, service.port, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(16) + 'GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await pipelined.closed
  t.equal(pipelined.answer.match(/HTTP\/1\.1 200 /g)?.length, 17, 'a few in a row are answered, in order')
  t.ok(pipelined.answer.endsWith('{"status":"ready"}'))

  for (const path of ['/metrics', '/nowhere', '/%zz']) {
    t.test(path, async (t) => {
      const before = await service.heap()
      const floods = Array.from({ length: 10 }, () => new RawClient(t, service.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(20_000)))
      await Promise.all(floods.map(({ closed }) => closed))
      for (const { answer } of floods) t.ok(answer.split('HTTP/1.1 ').length < 1_000, 'few were answered')
      const grown = await service.heap() - before
      t.ok(grown < 10 * 2 ** 20, `${grown} bytes more`)
    })
  }
})
