import { readFile } from 'node:fs/promises'
import { setTimeout as passed } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { buildApp, type Deps } from '../src/app.js'
import type { Identity, Strategy } from '../src/auth/strategy.js'
import { MemoryBroker } from '../src/broker/memory.js'
import { loadConfig } from '../src/config.js'
import { TokenExpired } from '../src/errors.js'
import { createLog } from '../src/log.js'
import { TestRedis } from './helpers/redis.js'
import { Service, progress } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

interface Ticket {
  readonly ticket: string
  readonly expiresAt: number
  readonly url: string
}

type Headers = Record<string, string>

/** Asks for a ticket. */
async function ask (url: string, query: string, body?: unknown, headers: Headers = {}): Promise<Response> {
  return fetch(`${url}/api/realtime/ticket${query}`, {
    method: 'POST',
    ...(body === undefined ? { headers } : { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }),
  })
}

async function ticketFor (url: string, query = '?merchantId=TEST', body?: unknown, headers?: Headers): Promise<Ticket> {
  const answer = await ask(url, query, body, headers)
  if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`)
  return await answer.json() as Ticket
}

/** Presents what is in the query; the stream is closed again, if there is one. */
async function present (url: string, query: string, headers: Headers = {}): Promise<{ status: number, code?: unknown }> {
  const abort = new AbortController()
  const answer = await fetch(`${url}/api/realtime/events${query}`, { headers, signal: abort.signal })
  const { status } = answer
  const told = status === 200 ? {} : { code: (await answer.json() as { code: unknown }).code }
  abort.abort()
  return { status, ...told }
}

t.test('a ticket', async (t) => {
  const service = await Service.start(t, { TICKET_TTL_S: '5' })
  const { url } = service

  t.test('opens one stream of the merchant, by the URL that comes with it', async (t) => {
    const before = Date.now()
    const answer = await ask(url, '?merchantId=shop.myshopify.com')
    t.equal(answer.status, 200)
    t.equal(answer.headers.get('cache-control'), 'no-store')
    const got = await answer.json() as Ticket
    t.strictSame(Object.keys(got), ['ticket', 'expiresAt', 'url'])
    t.match(got.ticket, /^[A-Za-z0-9_-]{43}$/, '32 bytes')
    t.ok(got.expiresAt >= before + 5_000 && got.expiresAt <= Date.now() + 5_000)
    const streamUrl = new URL(got.url, answer.url).href
    t.equal(streamUrl, `${url}/api/realtime/events?ticket=${got.ticket}`)

    const stream = await Stream.open(t, streamUrl)
    t.match(JSON.parse(stream.events.all[0]!.data), { type: 'connected', merchantId: 'shop.myshopify.com' })
    await service.publish('shop.myshopify.com', progress(1))
    await stream.published(1)
    t.match(await present(url, `?ticket=${got.ticket}`), { status: 401, code: 'RTF_BAD_TICKET' }, 'no second one')
  })

  t.test('is not used up by what opens nothing', async (t) => {
    const { ticket } = await ticketFor(url)
    t.equal((await fetch(`${url}/api/realtime/events?ticket=${ticket}`, { method: 'HEAD' })).status, 200)
    t.match(await present(url, `?ticket=${ticket}&topics=a,,b`), { status: 400 })
    t.match(await present(url, `?ticket=${ticket}`, { accept: 'text/html' }), { status: 406 })
    t.match(await present(url, `?ticket=${ticket}`), { status: 200 })
  })

  t.test('no two are alike', async (t) => {
    const tickets = await Promise.all(Array.from({ length: 50 }, () => ticketFor(url)))
    t.equal(new Set(tickets.map(({ ticket }) => ticket)).size, 50)
  })

  t.test('may be asked for by anything that is no bad question', async (t) => {
    const table: Array<[name: string, query: string, body: unknown, status: number, code?: string]> = [
      ['no body', '?merchantId=TEST', undefined, 200], ['null', '?merchantId=TEST', null, 200], ['nothing in it', '?merchantId=TEST', {}, 200],
      ['topics and origin', '?merchantId=TEST', { topics: 'progress,error', origin: 'https://app.example.com:8443' }, 200],
      ['a ticket is no credential for a ticket', `?ticket=${'a'.repeat(43)}`, undefined, 401, 'RTF_MERCHANT_MISSING'],
      ['no merchant', '', undefined, 401, 'RTF_MERCHANT_MISSING'], ['a bad merchant', '?merchantId=a:b', undefined, 400, 'RTF_BAD_MERCHANT_ID'],
      ['two merchants', '?merchantId=a&merchantId=b', undefined, 400, 'FST_ERR_VALIDATION'],
      ['bad topics', '?merchantId=TEST', { topics: 'a b' }, 400, 'RTF_BAD_TOPICS'], ['no topics', '?merchantId=TEST', { topics: '' }, 400, 'RTF_BAD_TOPICS'],
      ['a list of topics', '?merchantId=TEST', { topics: ['a'] }, 400, 'FST_ERR_VALIDATION'], ['an unknown field', '?merchantId=TEST', { merchantId: 'x' }, 400, 'FST_ERR_VALIDATION'],
      ['an array', '?merchantId=TEST', [], 400, 'FST_ERR_VALIDATION'], ['a string', '?merchantId=TEST', 'x', 400, 'FST_ERR_VALIDATION'],
      ...['', 'null', 'app.example.com', 'https://App.example.com', 'https://app.example.com/', 'https://a,https://b', 'javascript://x', `https://${'a'.repeat(257)}`, 'https://a\n'].map((origin): [string, string, unknown, number, string] =>
        [`origin ${JSON.stringify(origin).slice(0, 30)}`, '?merchantId=TEST', { origin }, 400, 'FST_ERR_VALIDATION']),
      ['a body of 5 KB', '?merchantId=TEST', { topics: 'x'.repeat(5_000) }, 413, 'FST_ERR_CTP_BODY_TOO_LARGE'],
    ]
    for (const [name, query, body, status, code] of table) {
      const answer = await ask(url, query, body)
      t.equal(answer.status, status, name)
      t.match(await answer.json(), code === undefined ? { ticket: String } : { code, statusCode: status }, name)
    }
    const form = await fetch(`${url}/api/realtime/ticket?merchantId=TEST`, { method: 'POST', body: 'topics=a', headers: { 'content-type': 'application/x-www-form-urlencoded' } })
    t.equal(form.status, 415)
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']) {
      const answer = await fetch(`${url}/api/realtime/ticket?merchantId=TEST`, { method })
      t.equal(answer.status, 405, method)
      t.equal(answer.headers.get('allow'), 'POST')
    }
    t.equal((await ask(url, '?merchantId=TEST', undefined, { origin: 'https://evil.example' })).status, 403, 'of no foreign page')
  })

  t.test('is refused for whatever is none', async (t) => {
    const { ticket } = await ticketFor(url)
    const unauthorized = await service.metric('connections_rejected_total{reason="unauthorized"}')
    const table: Array<[name: string, query: string, status: number, code: string]> = [
      ['empty', '?ticket=', 401, 'RTF_BAD_TICKET'], ['unknown', `?ticket=${'a'.repeat(43)}`, 401, 'RTF_BAD_TICKET'],
      ['too long', `?ticket=${ticket}a`, 401, 'RTF_BAD_TICKET'], ['too short', `?ticket=${ticket.slice(1)}`, 401, 'RTF_BAD_TICKET'],
      ['10 KB', `?ticket=${'a'.repeat(10_000)}`, 401, 'RTF_BAD_TICKET'], ['a pattern', `?ticket=${'*'.repeat(43)}`, 401, 'RTF_BAD_TICKET'],
      ['NUL', `?ticket=%00${ticket.slice(1)}`, 401, 'RTF_BAD_TICKET'], ['a line break after it', `?ticket=${ticket}%0A`, 401, 'RTF_BAD_TICKET'],
      ['beside a merchant, in AUTH_MODE=none, too', '?merchantId=TEST&ticket=x', 401, 'RTF_BAD_TICKET'],
      ['twice', `?ticket=${ticket}&ticket=${ticket}`, 400, 'FST_ERR_VALIDATION'],
    ]
    for (const [name, query, status, code] of table) t.match(await present(url, query), { status, code }, name)
    t.equal(await service.metric('connections_rejected_total{reason="unauthorized"}') - unauthorized, table.length - 1)
    t.match(await present(url, `?ticket=${ticket}`), { status: 200 }, 'none of which uses it up')
  })

  t.test('is for its merchant only', async (t) => {
    const [one, other] = [await ticketFor(url), await ticketFor(url)]
    t.match(await present(url, `?ticket=${one.ticket}&merchantId=TEST`), { status: 200 })
    t.match(await present(url, `?ticket=${other.ticket}&merchantId=OTHER`), { status: 403, code: 'RTF_FOREIGN_MERCHANT' })
    t.match(await present(url, `?ticket=${other.ticket}&merchantId=TEST`), { status: 401 }, 'and is used up by the attempt')
  })

  t.test('is for its topics only', async (t) => {
    const open = async (topics: string | undefined, query: string) => {
      const { ticket } = await ticketFor(url, undefined, topics === undefined ? undefined : { topics })
      return Stream.request(t, `${url}/api/realtime/events?ticket=${ticket}${query}`)
    }
    const table: Array<[bound: string | undefined, query: string, gets: string[] | undefined]> = [
      [undefined, '', ['a', 'b', 'c']], [undefined, '&topics=c', ['c']], ['b,a', '', ['a', 'b']], ['a,b', '&topics=b', ['b']], ['a,b', '&topics=b,a,b', ['a', 'b']],
      ['a,b', '&topics=c', undefined], ['a,b', '&topics=a,c', undefined], ['a', '&topics=a,b,c', undefined],
    ]
    const streams = await Promise.all(table.map(async ([bound, query, gets]) => [bound, query, gets, await open(bound, query)] as const))
    await Promise.all(streams.filter(([,, gets]) => gets !== undefined).map(([,,, { events }]) => events.count(1)))
    await service.publish('TEST', ['a', 'b', 'c'].map((type) => ({ type })))
    for (const [bound, query, gets, stream] of streams) {
      const name = `bound to ${bound ?? 'none'}, asked for ${query}`
      t.equal(stream.status, gets === undefined ? 403 : 200, name)
      if (gets === undefined) await stream.closed
      else await stream.published(gets.length)
      if (gets === undefined) t.match(stream.raw, '"RTF_FOREIGN_TICKET"', name)
      else t.strictSame(stream.events.all.slice(1).map(({ event }) => event), gets, name)
    }
  })

  t.test('is for pages of its origin only', async (t) => {
    const page = 'http://localhost:5173'
    const own = url
    const table: Array<[name: string, asked: { origin?: string, body?: string }, shown: Headers, status: number]> = [
      ['of a page, by the page', { origin: page }, { origin: page }, 200],
      ['of a page, by another', { origin: page }, { origin: 'http://localhost:5174' }, 403],
      ['of a page, by another scheme', { origin: page }, { origin: 'https://localhost:5173' }, 403],
      ['of a page, by the service’s own', { origin: page }, { origin: own }, 403],
      ['of a page, by none', { origin: page }, {}, 403],
      ['of a page, from another site without Origin', { origin: page }, { 'sec-fetch-site': 'cross-site' }, 403],
      ['of a page that is of the same origin as what it asks, as the browser says', { origin: page }, { 'sec-fetch-site': 'same-origin' }, 200],
      ['of the service’s own page, by it: browsers send no Origin then', { origin: own }, {}, 200],
      ['of the service’s own page, behind TLS', { body: own.replace('http:', 'https:') }, {}, 200],
      ['of the service’s own page, by another', { origin: own }, { origin: page }, 403],
      ['of no page, by none', {}, {}, 200],
      ['of no page, by any', {}, { origin: page }, 200],
      ['asked for by no page for a page, by the page', { body: page }, { origin: page }, 200],
      ['asked for by no page for a page, by another', { body: page }, { origin: own }, 403],
      ['asked for by one page for another, by that other', { origin: own, body: page }, { origin: page }, 200],
      ['asked for by one page for another, by the one', { origin: own, body: page }, { origin: own }, 403],
    ]
    for (const [name, { origin, body }, shown, status] of table) {
      const { ticket } = await ticketFor(url, undefined, body === undefined ? undefined : { origin: body }, origin === undefined ? {} : { origin })
      t.match(await present(url, `?ticket=${ticket}`, shown), status === 200 ? { status } : { status, code: 'RTF_FOREIGN_TICKET' }, name)
      t.equal((await present(url, `?ticket=${ticket}`)).status, 401, 'used up, whoever showed it')
    }
  })

  t.test('is of no use after TICKET_TTL_S', async (t) => {
    const brief = await Service.start(t, { TICKET_TTL_S: '1' })
    const { ticket, expiresAt } = await ticketFor(brief.url)
    await passed(expiresAt - Date.now() + 10)
    t.match(await present(brief.url, `?ticket=${ticket}`), { status: 401, code: 'RTF_BAD_TICKET' })
  })
})

/*
 * What a credential that runs out has to do with the ticket that it was exchanged for: told with a strategy of the test's
 * own, for what it says is what matters here, and not how a token is read.
 */
t.test('a ticket and the credential that it was exchanged for', async (t) => {
  const build = async (t: Test, outlived: boolean, expiresAt: number | undefined, deps: Partial<Deps> = {}) => {
    const asked: string[] = []
    const strategy: Strategy = {
      outlived,
      async authenticate ({ headers }): Promise<Identity> {
        asked.push(String(headers.authorization))
        return { merchantId: 'TEST', ...(expiresAt !== undefined && { expiresAt }) }
      },
    }
    const { server } = await buildApp(loadConfig({ TICKET_TTL_S: '60', DRAIN_DELAY_MS: '0' }), { log: createLog('silent'), strategy, ...deps })
    t.teardown(() => server.close())
    return { url: await server.listen({ host: '127.0.0.1', port: 0 }), asked }
  }
  /** Keeps nothing, and says what it was given to keep. */
  class Watched extends MemoryBroker {
    readonly kept: Array<{ key: string, grant: unknown, ttlMs: number }> = []
    override async put (key: string, value: string, ttlMs: number): Promise<void> {
      this.kept.push({ key, grant: JSON.parse(value), ttlMs })
    }
  }
  const now = Date.now()
  const ends = now + 20_000.5
  const table: Array<[name: string, outlived: boolean, expiresAt: number | undefined, ttlMs: [least: number, most: number], grant: object]> = [
    ['without end', false, undefined, [60_000, 60_000], { merchantId: 'TEST' }],
    ['that ends before the ticket would: so does the ticket', false, ends, [1, 20_000], { merchantId: 'TEST', expiresAt: ends }],
    ['that ends after the ticket: so does the stream', false, now + 3_600_000, [60_000, 60_000], { merchantId: 'TEST', expiresAt: now + 3_600_000 }],
    ['that its session outlives: it bounds neither', true, ends, [60_000, 60_000], { merchantId: 'TEST' }],
    ['that its session outlives, and has ended meanwhile', true, now - 1, [60_000, 60_000], { merchantId: 'TEST' }],
  ]
  for (const [name, outlived, expiresAt, [least, most], grant] of table) {
    t.test(`one ${name}`, async (t) => {
      const broker = new Watched()
      const { url } = await build(t, outlived, expiresAt, { broker })
      const asked = Date.now()
      const ticket = await ticketFor(url, '')
      const [kept] = broker.kept
      t.strictSame(kept?.grant, grant)
      t.ok(Number.isInteger(kept?.ttlMs) && kept!.ttlMs >= least && kept!.ttlMs <= most, `${kept?.ttlMs} ms`)
      t.ok(ticket.expiresAt >= asked + least && ticket.expiresAt <= Date.now() + most)
      t.notMatch(JSON.stringify(broker.kept), ticket.ticket, 'the ticket itself is not kept')
    })
  }

  t.test('one that has ended while it was looked at', async (t) => {
    const { url } = await build(t, false, now - 1)
    const answer = await ask(url, '')
    t.match({ status: answer.status, body: await answer.json() }, { status: 401, body: { code: new TokenExpired().code } })
  })

  t.test('the ticket alone is looked at, where there is one', async (t) => {
    const { url, asked } = await build(t, false, undefined)
    const { ticket } = await ticketFor(url, '', undefined, { authorization: 'Bearer first' })
    t.match(await present(url, `?ticket=${ticket}`, { authorization: 'Bearer second' }), { status: 200 })
    t.match(await present(url, `?ticket=${ticket}`, { authorization: 'Bearer third' }), { status: 401 })
    t.strictSame(asked, ['Bearer first'])
    t.match(await present(url, '', { authorization: 'Bearer fourth' }), { status: 200 })
    t.strictSame(asked, ['Bearer first', 'Bearer fourth'])
    t.equal((await ask(url, '?merchantId=OTHER')).status, 403)
    t.equal((await ask(url, `?ticket=${ticket}`)).status, 200, 'a ticket is not asked for by a ticket: it is of no interest')
  })

  t.test('a fault of the store is no absence', async (t) => {
    class Faulty extends MemoryBroker {
      override async take (): Promise<string | undefined> {
        throw new TypeError('a fault')
      }
    }
    const { url } = await build(t, false, undefined, { broker: new Faulty() })
    t.match(await present(url, `?ticket=${'a'.repeat(43)}`), { status: 500, code: 'RTF_INTERNAL' })
  })
})

/** So many instances on one Redis, each with its subscription. */
async function instances (t: Test, n: number, url: string, env: Record<string, string> = {}): Promise<Service[]> {
  const services = await Promise.all(Array.from({ length: n }, () => Service.start(t, { REDIS_URL: url, ...env })))
  await Promise.all(services.map(({ log }) => log.first(({ msg }) => msg === 'subscribed')))
  return services
}

t.test('tickets of two instances on one Redis', async (t) => {
  const redis = await TestRedis.start(t)
  const [one, two] = await instances(t, 2, redis.url, { LOG_LEVEL: 'trace' }) as [Service, Service]

  t.test('one that was got here opens a stream there, once', async (t) => {
    const { ticket } = await ticketFor(one.url)
    const stream = await Stream.open(t, `${two.url}/api/realtime/events?ticket=${ticket}`)
    await redis.cli('PUBLISH', 'merchant:TEST:progress', '{}')
    await stream.published(1)
    for (const { url } of [one, two]) t.match(await present(url, `?ticket=${ticket}`), { status: 401, code: 'RTF_BAD_TICKET' })
  })

  t.test('one that is presented 20 times at once opens one stream', async (t) => {
    for (let round = 0; round < 5; round++) {
      const { ticket } = await ticketFor(one.url)
      const statuses = await Promise.all(Array.from({ length: 20 }, async (_, i) => (await present([one, two][i % 2]!.url, `?ticket=${ticket}`)).status))
      t.strictSame(statuses.sort(), [200, ...Array.from({ length: 19 }, () => 401)])
    }
  })

  t.test('it is in no log, and nothing that can be presented is in Redis', async (t) => {
    const { ticket } = await ticketFor(one.url, undefined, { topics: 'progress' })
    const keys = (await redis.cli('KEYS', '*')).split('\n')
    t.equal(keys.length, 1, 'used ones are gone')
    t.match(keys[0], /^merchant:_ticket:[A-Za-z0-9_-]{43}$/)
    const value = await redis.cli('GET', keys[0]!)
    t.strictSame(JSON.parse(value), { merchantId: 'TEST', topics: 'progress' })
    const ttlMs = Number(await redis.cli('PTTL', keys[0]!))
    t.ok(ttlMs > 25_000 && ttlMs <= 30_000, `${ttlMs} ms`)
    t.notMatch(keys[0] + value, ticket)
    t.match(await present(one.url, `?ticket=${keys[0]!.slice('merchant:_ticket:'.length)}`), { status: 401 }, 'what is there opens nothing')

    for (const query of ['&topics=stage', '', '&topics=']) await present(two.url, `?ticket=${ticket}${query}`)
    await fetch(`${one.url}/api/realtime/ticket?ticket=${ticket}`, { method: 'POST' })
    await redis.cli('SET', keys[0]!, 'no JSON')
    t.match(await present(two.url, `?ticket=${ticket}`), { status: 500 })
    await two.log.first(({ msg }) => msg === 'a request failed')
    t.notMatch(JSON.stringify([...one.log.all, ...two.log.all, one.printed, two.printed]), ticket)
  })
})

/** Refused, in a way that EventSource comes back from. */
async function toldToComeBack (t: Test, service: Service, ticket: string): Promise<void> {
  const before = await service.metric('connections_rejected_total{reason="auth_unavailable"}')
  const stream = await Stream.request(t, `${service.url}/api/realtime/events?ticket=${ticket}`)
  t.equal(stream.status, 200)
  t.equal(stream.headers['content-type'], 'text/event-stream')
  await stream.closed
  t.strictSame(stream.events.all.map(({ event, data }) => [event, JSON.parse(data) as unknown]), [['close', { type: 'close', reason: 'unavailable', reconnect: true }]])
  t.ok(stream.retries[0]! >= 4_500, 'longer than usual')
  t.equal(await service.metric('connections_rejected_total{reason="auth_unavailable"}') - before, 1)
}

t.test('tickets while Redis is away', async (t) => {
  t.test('killed: who presents one is told to come back, who asks for one as well', async (t) => {
    const redis = await TestRedis.start(t)
    const [service] = await instances(t, 1, redis.url) as [Service]
    const { ticket } = await ticketFor(service.url)
    await redis.kill()
    await toldToComeBack(t, service, ticket)
    const answer = await ask(service.url, '?merchantId=TEST')
    t.match({ status: answer.status, retryAfter: answer.headers.get('retry-after') }, { status: 503, retryAfter: '2' })
    t.match(await answer.json(), { code: 'RTF_AUTH_AWAY', statusCode: 503 })
    t.match(await present(service.url, '?ticket=x'), { status: 401 }, 'what can be no ticket is none, whatever the weather')
    await Stream.open(t, service.streamUrl('TEST'))

    await redis.start()
    await service.log.first(({ msg }) => msg === 'subscribed again')
    t.match(await present(service.url, `?ticket=${(await ticketFor(service.url)).ticket}`), { status: 200 })
  })

  t.test('frozen: the same, before long', async (t) => {
    const redis = await TestRedis.start(t)
    const [service] = await instances(t, 1, redis.url) as [Service]
    const { ticket } = await ticketFor(service.url)
    redis.freeze()
    const startedAt = performance.now()
    await toldToComeBack(t, service, ticket)
    const ms = performance.now() - startedAt
    t.ok(ms < 6_000, `${ms} ms`)
    redis.thaw()
  })
})

t.test('Redis with the ACLs of the README', async (t) => {
  const readme = await readFile('README.md', 'utf8')
  /** The arguments of the line that makes this user, as a shell would read them. */
  const lineFor = (user: string): string[] => {
    const [, line] = new RegExp(`^redis-cli (ACL SETUSER ${user} .*)$`, 'm').exec(readme)!
    return [...line!.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
  }
  const redis = await TestRedis.start(t)
  const refusals = async () => redis.cli('ACL', 'LOG')

  t.test('the service has all that it needs by the line for it', async (t) => {
    t.equal(await redis.cli(...lineFor('fanout')), 'OK')
    const [service] = await instances(t, 1, `redis://fanout:password@127.0.0.1:${redis.port}`) as [Service]
    const { ticket } = await ticketFor(service.url)
    const stream = await Stream.open(t, `${service.url}/api/realtime/events?ticket=${ticket}`)
    t.equal((await service.publish('TEST', { type: 'custom' })).status, 202)
    t.strictSame(await stream.published(1), ['{"type":"custom"}'])
    t.match(await present(service.url, `?ticket=${ticket}`), { status: 401 })
    t.equal(await refusals(), '', 'and tries no more')
  })

  t.test('a publisher can publish by the line for it, and do nothing else', async (t) => {
    t.equal(await redis.cli(...lineFor('publisher')), 'OK')
    const [service] = await instances(t, 1, redis.url) as [Service]
    const stream = await Stream.open(t, service.streamUrl('TEST'))
    const asPublisher = async (...command: string[]) => redis.cli('--user', 'publisher', '--pass', 'password', '--no-auth-warning', ...command)
    t.equal(await asPublisher('PUBLISH', 'merchant:TEST:progress', '{"n":1}'), '1')
    t.strictSame(await stream.published(1), ['{"n":1}'])
    const { ticket } = await ticketFor(service.url)
    const [key] = (await redis.cli('KEYS', 'merchant:_ticket:*')).split('\n')
    for (const command of [
      ['PUBLISH', 'elsewhere', '{}'], ['PUBLISH', 'merchan', '{}'], ['SUBSCRIBE', 'merchant:TEST:progress'], ['PSUBSCRIBE', 'merchant:*:*'], ['KEYS', '*'],
      ['GET', key!], ['GETDEL', key!], ['SET', key!, '{"merchantId":"OTHER"}', 'PX', '1000'], ['CLIENT', 'LIST'], ['INFO'], ['ACL', 'WHOAMI'], ['FLUSHALL'], ['CONFIG', 'GET', '*'],
    ]) t.match(await asPublisher(...command), /^NOPERM /, command.join(' '))
    t.match(await present(service.url, `?ticket=${ticket}`), { status: 200 })
  })
})
