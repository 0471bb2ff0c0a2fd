import { once } from 'node:events'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { RawClient } from './helpers/raw.js'
import { Service, progress, type LogLine } from './helpers/service.js'
import { Stream } from './helpers/stream.js'
import { inSeconds, mint } from './helpers/tokens.js'

/*
 * What crosses rooms: credentials in the wrong place, requests that are none, and what a client sends that might come
 * back as a header or a field of its own choosing. Each room's own attacks are in its own tests.
 */

const SECRET = 'a secret of this test that is long enough'
const KEY = 'k'.repeat(32)
const ENV = { NODE_ENV: 'test', AUTH_MODE: 'jwt', JWT_SECRET: SECRET, PUBLISH_KEY: KEY, CORS_ORIGINS: 'https://app.example.com' }

const EVENTS = '/api/realtime/events'
const TICKET = '/api/realtime/ticket'
const PUBLISH = '/api/realtime/merchants/acme/events'
const EVENT = '{"type":"custom"}'

const bearer = (token: string) => `Authorization: Bearer ${token}\r\n`
const AS_PUBLISHER = bearer(KEY)

function get (target: string, headers = '', version = 'HTTP/1.1'): string {
  return `GET ${target} ${version}\r\nHost: x\r\n${headers}Connection: close\r\n\r\n`
}

function post (target: string, body: string, headers = '', type = 'application/json'): string {
  return `POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}Connection: close\r\n\r\n${body}`
}

/** A request to publish whose body is framed by these headers. */
function framed (framing: string, body: string, version = 'HTTP/1.1'): string {
  return `POST ${PUBLISH} ${version}\r\nHost: x\r\n${AS_PUBLISHER}Content-Type: application/json\r\n${framing}\r\n\r\n${body}`
}

/** All that is answered, or of a stream its first event, once a heartbeat has come as well. */
async function answerTo (t: Test, service: Service, request: string): Promise<string> {
  const client = new RawClient(t, service.port)
  client.socket.write(request, 'latin1')
  await Promise.race([client.closed, client.until(': heartbeat').catch(() => { /* It is closed. */ })])
  client.socket.destroy()
  return client.answer
}

const HEADERS = new Set(['content-type', 'content-length', 'date', 'connection', 'vary', 'allow', 'www-authenticate', 'retry-after', 'cache-control', 'x-accel-buffering',
  'access-control-allow-origin', 'access-control-allow-credentials', 'access-control-allow-headers', 'access-control-allow-methods', 'access-control-expose-headers', 'access-control-max-age'])
const STREAM = /^retry: \d+\n\nid: [\w.-]+\ndata: \{"type":"connected","merchantId":"[A-Za-z0-9._-]+","timestamp":\d+\}\n\n(?:id: [\w.-]+\nevent: gap\ndata: \{"type":"gap","reason":"unknown_cursor","from":0,"to":\d+\}\n\n)?(?:id: [\w.-]+\nevent: custom\ndata: [^\r\n]*\n\n)*: heartbeat \d+\nid: [\w.-]+\n\n/

/** One answer, of headers that the service has and a body that it makes, and nothing else. */
function isClean (t: Test, answer: string, name: string): void {
  const [head = '', ...rest] = answer.split('\r\n\r\n')
  const body = rest.join('\r\n\r\n')
  const [, ...headers] = head.split('\r\n')
  const alien = headers.filter((line) => !/^[A-Za-z-]+: [^\r\n]*$/.test(line) || !HEADERS.has(line.slice(0, line.indexOf(':')).toLowerCase()))
  t.strictSame(alien, [], `${name}: no header is another's`)
  t.equal(new Set(headers.map((line) => line.slice(0, line.indexOf(':')).toLowerCase())).size, headers.length, `${name}: none is there twice`)
  if (/^content-type: text\/event-stream/im.test(head)) t.match(body, STREAM, `${name}: the stream has no field but its own`)
  else if (body !== '') t.type(JSON.parse(body), 'object', `${name}: the body is one piece of JSON`)
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])
const codeOf = (answer: string) => /"code":"(\w+)"/.exec(answer)?.[1]

type Row = [name: string, request: string, status: number, code?: string]

async function runTable (t: Test, service: Service, table: readonly Row[]): Promise<void> {
  for (const [name, request, status, code] of table) {
    const answer = await answerTo(t, service, request)
    t.strictSame([statusOf(answer), codeOf(answer)], [status, code], name)
    isClean(t, answer, name)
  }
}

t.test('the wrong thing in the wrong place', async (t) => {
  const service = await Service.start(t, { ...ENV, HEARTBEAT_MS: '100' })
  const token = await mint({ exp: inSeconds(600), merchantId: 'acme' }, SECRET)
  const mine = bearer(token)
  const ofMerchant = async (merchantId: string) => bearer(await mint({ exp: inSeconds(600), merchantId }, SECRET))

  t.test('credentials', async (t) => runTable(t, service, [
    ['a token as ticket', get(`${EVENTS}?ticket=${token}`), 401, 'RTF_BAD_TICKET'],
    ['a token as ticket, beside the token', get(`${EVENTS}?ticket=${token}`, mine), 401, 'RTF_BAD_TICKET'],
    ['what looks like a ticket as token', get(EVENTS, bearer('a'.repeat(43))), 401, 'RTF_BAD_TOKEN'],
    ['a token as publish key', post(PUBLISH, EVENT, mine), 401, 'RTF_BAD_PUBLISH_KEY'],
    ['a publish key as token', get(EVENTS, AS_PUBLISHER), 401, 'RTF_BAD_TOKEN'],
    ['a publish key as ticket', get(`${EVENTS}?ticket=${KEY}`), 401, 'RTF_BAD_TICKET'],
    ['a publish key for a ticket', post(TICKET, '{}', AS_PUBLISHER), 401, 'RTF_BAD_TOKEN'],
    ['a publish key in the query', post(`${PUBLISH}?key=${KEY}&authorization=Bearer%20${KEY}`, EVENT), 401, 'RTF_BAD_PUBLISH_KEY'],
    ['a token as ?access_token=', get(`${EVENTS}?access_token=${token}&token=${token}`), 401, 'RTF_CREDENTIAL_MISSING'],
    ['a token in a cookie, when AUTH_COOKIE is not set', get(EVENTS, `Cookie: session=${token}; undefined=${token}; =${token}; ${token}\r\n`), 401, 'RTF_CREDENTIAL_MISSING'],
    ['a token in Proxy-Authorization', get(EVENTS, `Proxy-${mine}`), 401, 'RTF_CREDENTIAL_MISSING'],
    ['a token in a trailer', `POST ${TICKET} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\nConnection: close\r\nTrailer: Authorization\r\n\r\n2\r\n{}\r\n0\r\n${mine}\r\n`, 401, 'RTF_CREDENTIAL_MISSING'],
    ['the word of a proxy that is none', get(EVENTS, 'X-Forwarded-User: acme\r\nX-Forwarded-For: 127.0.0.1\r\nX-Merchant-Id: acme\r\nX-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n'), 401, 'RTF_CREDENTIAL_MISSING'],
    ['two tokens', get(EVENTS, mine + mine), 400, 'RTF_CREDENTIAL_TWICE'],
    ['two tokens, for a ticket', post(TICKET, '{}', mine + mine), 400, 'RTF_CREDENTIAL_TWICE'],
    ['two publish keys', post(PUBLISH, EVENT, AS_PUBLISHER + AS_PUBLISHER), 400, 'RTF_CREDENTIAL_TWICE'],
    ['two tickets', get(`${EVENTS}?ticket=a&ticket=b`, mine), 400, 'FST_ERR_VALIDATION'],
    ['two tickets in brackets are none', get(`${EVENTS}?ticket[]=a&ticket[]=b`), 401, 'RTF_CREDENTIAL_MISSING'],
    ['two merchants', get(`${EVENTS}?merchantId=acme&merchantId=other`, mine), 400, 'FST_ERR_VALIDATION'],
    ['the same merchant, twice', get(`${EVENTS}?merchantId=acme&merchantId=acme`, mine), 400, 'FST_ERR_VALIDATION'],
    ['two merchants, one in disguise', get(`${EVENTS}?merchantId=acme&merchant%49d=other`, mine), 400, 'FST_ERR_VALIDATION'],
    ["another one's merchant", get(`${EVENTS}?merchantId=other`, mine), 403, 'RTF_FOREIGN_MERCHANT'],
    ["another one's merchant, for a ticket", post(`${TICKET}?merchantId=other`, '{}', mine), 403, 'RTF_FOREIGN_MERCHANT'],
    ["one's own, in other letters", get(`${EVENTS}?merchantId=ACME`, mine), 403, 'RTF_FOREIGN_MERCHANT'],
    ["one's own, with a NUL", get(`${EVENTS}?merchantId=acme%00`, mine), 403, 'RTF_FOREIGN_MERCHANT'],
    ['a merchant in the body', post(TICKET, '{"merchantId":"other"}', mine), 400, 'FST_ERR_VALIDATION'],
    ['__proto__ in the body', post(TICKET, '{"__proto__":{"topics":"a"}}', mine), 400, 'FST_ERR_CTP_INVALID_JSON_BODY'],
    ['merchant __proto__', get(`${EVENTS}?merchantId=__proto__`, mine), 403, 'RTF_FOREIGN_MERCHANT'],
    ['merchant constructor', get(`${EVENTS}?merchantId=constructor`, mine), 403, 'RTF_FOREIGN_MERCHANT'],
    ['merchant constructor, whose name it is', get(`${EVENTS}?merchantId=constructor`, await ofMerchant('constructor')), 200],
    ['a token for merchant __proto__', get(EVENTS, await ofMerchant('__proto__')), 401, 'RTF_BAD_TOKEN'],
    ['parameters __proto__ and constructor', get(`${EVENTS}?__proto__=other&constructor=other&__proto__[merchantId]=other`, mine), 200],
    ['topics of a prototype', get(`${EVENTS}?topics=__proto__,constructor,toString`, mine), 200],
    ['an event of type constructor', post(PUBLISH, '{"type":"constructor"}', AS_PUBLISHER), 202],
    ['an event of type __proto__', post(PUBLISH, '{"type":"__proto__"}', AS_PUBLISHER), 400, 'RTF_BAD_EVENT'],
    ['a key for merchant __proto__', post('/api/realtime/merchants/__proto__/events', EVENT, AS_PUBLISHER), 400, 'RTF_BAD_MERCHANT_ID'],
    ['a foreign page', get(EVENTS, `${mine}Origin: https://evil.example\r\n`), 403, 'RTF_FOREIGN_ORIGIN'],
    ['a foreign page that says it is forwarded', get(EVENTS, `${mine}Origin: https://evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\n`), 403, 'RTF_FOREIGN_ORIGIN'],
    ['a page of no origin', get(EVENTS, `${mine}Origin: null\r\n`), 403, 'RTF_FOREIGN_ORIGIN'],
    ['a page of two origins', get(EVENTS, `${mine}Origin: https://app.example.com\r\nOrigin: https://evil.example\r\n`), 403, 'RTF_FOREIGN_ORIGIN'],
    ['a page of a subdomain', get(EVENTS, `${mine}Origin: https://app.example.com.evil.example\r\n`), 403, 'RTF_FOREIGN_ORIGIN'],
    ['a stream by another method, in disguise', post(`${EVENTS}?_method=GET`, EVENT, `${mine}X-HTTP-Method-Override: GET\r\nX-Method-Override: GET\r\nX-HTTP-Method: GET\r\n`), 405, 'RTF_METHOD_NOT_ALLOWED'],
    ['publishing by GET, in disguise', get(`${PUBLISH}?_method=POST`, `${AS_PUBLISHER}X-HTTP-Method-Override: POST\r\n`), 405, 'RTF_METHOD_NOT_ALLOWED'],
    ['a path in disguise', get('/healthz', `X-Original-URL: ${EVENTS}\r\nX-Rewrite-URL: /metrics\r\n`), 200],
  ]))

  t.test('requests that are none, or two', async (t) => runTable(t, service, [
    ['Content-Length and Transfer-Encoding', framed('Content-Length: 5\r\nTransfer-Encoding: chunked', `0\r\n\r\n${get('/healthz')}`), 400, 'RTF_BAD_HTTP'],
    ['Transfer-Encoding twice', framed('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', '0\r\n\r\n'), 400, 'RTF_BAD_HTTP'],
    ['an unknown Transfer-Encoding', framed('Transfer-Encoding: xchunked', '0\r\n\r\n'), 400, 'RTF_BAD_HTTP'],
    ['a space before the colon', framed('Transfer-Encoding : chunked', '0\r\n\r\n'), 400, 'RTF_BAD_HTTP'],
    ['Content-Length twice', framed('Content-Length: 2\r\nContent-Length: 3', '{}x'), 400, 'RTF_BAD_HTTP'],
    ['Content-Length twice in one', framed('Content-Length: 2, 2', '{}'), 400, 'RTF_BAD_HTTP'],
    ['Content-Length with a sign', framed('Content-Length: +2', '{}'), 400, 'RTF_BAD_HTTP'],
    ['a negative Content-Length', framed('Content-Length: -2', '{}'), 400, 'RTF_BAD_HTTP'],
    ['a Content-Length of 23 digits', framed('Content-Length: 99999999999999999999999', '{}'), 400, 'RTF_BAD_HTTP'],
    ['a Content-Length of 15 digits', framed('Content-Length: 999999999999999', '{}'), 413, 'FST_ERR_CTP_BODY_TOO_LARGE'],
    ['a chunk whose size is none', framed('Transfer-Encoding: chunked', 'zz\r\n{}\r\n0\r\n\r\n'), 400, 'RTF_BAD_HTTP'],
    ['a chunk whose size is too big for a number', framed('Transfer-Encoding: chunked', `${'f'.repeat(18)}\r\n{}\r\n0\r\n\r\n`), 400, 'RTF_BAD_HTTP'],
    ['a chunk with 20 KB of extensions', framed('Transfer-Encoding: chunked', `2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`), 400, 'RTF_BAD_HTTP'],
    ['a body with a request in it', `GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: ${get('/metrics').length}\r\nConnection: close\r\n\r\n${get('/metrics')}`, 200],
    ['a header on two lines', get(EVENTS, 'X: a\r\n b\r\n'), 400, 'RTF_BAD_HTTP'],
    ['a header that begins with a space', `GET ${EVENTS} HTTP/1.1\r\n Host: x\r\n\r\n`, 400, 'RTF_BAD_HTTP'],
    ['lines that end with LF', 'GET /healthz HTTP/1.1\nHost: x\nConnection: close\n\n', 400, 'RTF_BAD_HTTP'],
    ['a line that ends with CR', `GET ${EVENTS} HTTP/1.1\r\nHost: x\rX: y\r\n\r\n`, 400, 'RTF_BAD_HTTP'],
    ['NUL in a header', get(EVENTS, 'X: a\0b\r\n'), 400, 'RTF_BAD_HTTP'],
    ['NUL in the path', get('/api/realtime\0/events'), 400, 'RTF_BAD_HTTP'],
    ['NUL in the method', 'GE\0T / HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'RTF_BAD_HTTP'],
    ['NUL in the path, encoded', get('/api/realtime%00/events'), 404, 'RTF_NOT_FOUND'],
    ['bytes beyond ASCII in the path', get('/\xe9'), 400, 'RTF_BAD_HTTP'],
    ['an address of another host', get(`http://evil.example${EVENTS}?merchantId=other`, mine), 403, 'RTF_FOREIGN_MERCHANT'],
    ['a path that climbs', get('/api/realtime/../../metrics'), 404, 'RTF_NOT_FOUND'],
    ['a path that climbs, encoded', get('/api/realtime/%2e%2e/events', mine), 404, 'RTF_NOT_FOUND'],
    ['a path with a slash too many', get('//api/realtime/events', mine), 404, 'RTF_NOT_FOUND'],
    ['a path in capitals', get('/API/realtime/events', mine), 404, 'RTF_NOT_FOUND'],
    ['no path', 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 404, 'RTF_NOT_FOUND'],
    ['TRACE', 'TRACE /healthz HTTP/1.1\r\nHost: x\r\nCookie: secret\r\nConnection: close\r\n\r\n', 404, 'RTF_NOT_FOUND'],
    ['a method in small letters', 'get /healthz HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'RTF_BAD_HTTP'],
    ['20,000 headers', get(EVENTS, 'A:\r\n'.repeat(20_000)), 431, 'RTF_HEAD_TOO_LARGE'],
    ['10,000 headers', get(EVENTS, 'A:\r\n'.repeat(10_000)), 401, 'RTF_CREDENTIAL_MISSING'],
    ['2,500 headers, and then the token', get(EVENTS, 'A:\r\n'.repeat(2_500) + mine), 200],
    ['HTTP/1.0 without Host', `GET ${EVENTS} HTTP/1.0\r\n\r\n`, 401, 'RTF_CREDENTIAL_MISSING'],
    ['HTTP/1.2', get(EVENTS, '', 'HTTP/1.2'), 400, 'RTF_BAD_HTTP'],
    ['HTTP/9.9', get(EVENTS, '', 'HTTP/9.9'), 400, 'RTF_BAD_HTTP'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'RTF_BAD_HTTP'],
    ['an upgrade to h2c', get(EVENTS, 'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'), 401, 'RTF_CREDENTIAL_MISSING'],
    ['an upgrade to WebSocket', get(EVENTS, 'Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n'), 401, 'RTF_CREDENTIAL_MISSING'],
    ['a greeting in TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'RTF_BAD_HTTP'],
    ['an Accept of 15 KB', get(EVENTS, `${mine}Accept: ${'a/b;q=0.1,'.repeat(1_400)}\r\n`), 406, 'RTF_NOT_ACCEPTABLE'],
    ['an Accept that is none', get(EVENTS, `${mine}Accept: ;;;;q=q=q,,,\r\n`), 406, 'RTF_NOT_ACCEPTABLE'],
    ['100,000 arrays in each other', post(PUBLISH, '['.repeat(100_000) + ']'.repeat(100_000), AS_PUBLISHER), 400, 'RTF_BAD_EVENT'],
  ]))

  t.test('what node:http refuses by itself, without a word', async (t) => {
    t.equal(await answerTo(t, service, 'CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n'), '')
    t.match(await answerTo(t, service, 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400 [^]*\r\n\r\n0\r\n\r\n$/, 'no Host')
    t.match(await answerTo(t, service, post(PUBLISH, EVENT, `${AS_PUBLISHER}Expect: the-unexpected\r\n`)), /^HTTP\/1\.1 417 [^]*\r\n\r\n0\r\n\r\n$/, 'an Expect that nobody meets')
  })

  t.test('line breaks in whatever reaches an answer', async (t) => {
    const breaks = ['%0d%0a', '%0a', '%0d', '%E2%80%A8', '%C2%85', '%00', '\\r\\n', '\\n', '\\u2028', '\r\n', '\r', '\n'].map((end) => [JSON.stringify(end), end] as const)
    const fields: Array<[name: string, request: (value: string) => string]> = [
      ['merchantId', (value) => get(`${EVENTS}?merchantId=${value}`, mine)],
      ['topics', (value) => get(`${EVENTS}?topics=${value}`, mine)],
      ['ticket', (value) => get(`${EVENTS}?ticket=${value}`, mine)],
      ['lastEventId', (value) => get(`${EVENTS}?lastEventId=${value}`, mine)],
      ['a parameter that is none', (value) => get(`${EVENTS}?${value}=${value}`, mine)],
      ['the path', (value) => get(`/api/realtime/${value}`, mine)],
      ['the merchant of a path', (value) => post(`/api/realtime/merchants/${value}/events`, EVENT, AS_PUBLISHER)],
      ['the method', (value) => `${value} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`],
      ['Host', (value) => `GET ${EVENTS} HTTP/1.1\r\nHost: ${value}\r\n${mine}Connection: close\r\n\r\n`],
      ...['Origin', 'Accept', 'Last-Event-ID', 'Cookie', 'Authorization', 'X-Forwarded-Host', 'X-Request-Id'].map((header): [string, (value: string) => string] =>
        [header, (value) => get(EVENTS, `${header === 'Authorization' ? '' : mine}${header}: ${value}\r\n`)]),
      ...['Access-Control-Request-Headers', 'Access-Control-Request-Method'].map((header): [string, (value: string) => string] =>
        [header, (value) => `OPTIONS ${EVENTS} HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example.com\r\nAccess-Control-Request-Method: GET\r\n${header}: ${value}\r\nConnection: close\r\n\r\n`]),
      ['Content-Type', (value) => post(PUBLISH, EVENT, AS_PUBLISHER, value)],
      ['the type of an event', (value) => post(PUBLISH, `{"type":"custom${value}"}`, AS_PUBLISHER)],
      ['the text of an event', (value) => post(PUBLISH, `{"type":"custom","text":"${value}"}`, AS_PUBLISHER)],
      ['the name of a field of an event', (value) => post(PUBLISH, `{"type":"progress","${value}":"${value}"}`, AS_PUBLISHER)],
      ['the origin of a ticket', (value) => post(TICKET, `{"origin":"https://${value}"}`, mine)],
      ['the topics of a ticket', (value) => post(TICKET, `{"topics":"${value}"}`, mine)],
      ['the name of a field of a ticket', (value) => post(TICKET, `{"${value}":1}`, mine)],
    ]
    const listening = await Stream.open(t, `${service.url}${EVENTS}`, { headers: { authorization: `Bearer ${token}` } })
    for (const [field, request] of fields) {
      t.test(field, async (t) => {
        for (const [name, end] of breaks) {
          const answer = await answerTo(t, service, request(`x${end}X-Injected: yes${end}${end}data: injected${end}event: close`))
          t.ok(answer === '' || (statusOf(answer) >= 200 && statusOf(answer) < 500), `${name}: ${statusOf(answer)}`)
          if (answer !== '') isClean(t, answer, name)
        }
      })
    }
    t.test('nor does anything come through to who listens', async (t) => {
      await service.publish('acme', { type: 'last' }, { authorization: `Bearer ${KEY}` })
      await listening.events.first(({ event }) => event === 'last')
      t.ok(listening.data.length > 5)
      for (const { event, data } of listening.events.all.slice(1)) {
        t.match(event, /^custom|last$/)
        t.type(JSON.parse(data), 'object')
      }
      t.notMatch(listening.raw, /[\r\n](?:event: close|data: injected|X-Injected)/)
    })
  })

  t.test('none of it was a fault', async (t) => {
    t.strictSame(service.log.all.filter(({ level, msg }) => level >= 40 && !msg.startsWith('tokens of any')), [])
  })
})

/*
 * Ten thousand requests, drawn from good ones with something wrong and from garbage; several on a connection, in pieces,
 * and left in the middle. What is wrong with them is theirs: no fault of the service may come of it, and nothing may stay.
 */
t.test('10,000 random requests', { timeout: 300_000 }, async (t) => {
  const service = await Service.start(t, { ...ENV, AUTH_COOKIE: 'session', HEARTBEAT_MS: '1000', TICKET_TTL_S: '1' })
  const token = await mint({ exp: inSeconds(3_600), merchantId: 'acme' }, SECRET)
  const expired = await mint({ exp: inSeconds(-3_600), merchantId: 'acme' }, SECRET)
  const statuses = new Map<number, number>()
  const seen = { requests: 0, faults: 0 }

  const oneOf = <T>(...values: T[]) => fc.constantFrom(...values)
  /** Mostly of the first kind. */
  const mostly = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>) => fc.oneof({ weight: 6, arbitrary: usual }, { weight: 1, arbitrary: odd })
  const garbage = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 40 }), oneOf('', '\0', '%', '%zz', '../..', '%2e%2e', '__proto__', 'constructor', 'a'.repeat(9_000), '%0d%0aX: y', '\r\nX: y', '*', '[]', '{{}}', '\ud800'))
  const method = fc.oneof(oneOf('GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT', 'PRI', 'QUERY', 'PROPFIND', 'get'), garbage)
  const path = fc.oneof(oneOf('/', '/metrics', '/readyz', `${EVENTS}/`, `/${EVENTS}`, '/api/realtime', '/api/realtime/merchants//events', '/%zz', '*', 'http://x/'), garbage.map((text) => `/${text}`), garbage.map((text) => `/api/realtime/merchants/${text}/events`))
  const parameter = fc.tuple(
    mostly(oneOf('merchantId', 'topics', 'ticket', 'lastEventId', 'replay', 'signature', 'access_token'), garbage),
    mostly(oneOf('acme', 'other', 'progress,error', 'a'.repeat(43), token, '1'), garbage.map(encodeURIComponentOr)),
  ).map((pair) => pair.join('='))
  const query = fc.oneof(oneOf('?', '?merchantId=acme', '?topics=progress'), fc.array(fc.oneof(parameter, garbage), { maxLength: 8 }).map((all) => `?${all.join('&')}`))
  const credential = fc.oneof(
    oneOf('', `Cookie: session=${token}\r\n`, bearer(token), AS_PUBLISHER, bearer(expired), bearer(`${token}x`), bearer(token.slice(1)), bearer(token) + bearer(token), 'Authorization: Basic eDp5\r\n', `Cookie: session=${token}; session=${token}\r\n`),
    garbage.map(bearer))
  const header = fc.tuple(
    mostly(oneOf('Accept', 'Origin', 'Content-Type', 'Content-Length', 'Transfer-Encoding', 'Expect', 'Connection', 'Upgrade', 'X-Forwarded-For', 'Last-Event-ID', 'Host', 'Cookie', 'Range'), garbage),
    mostly(oneOf('text/event-stream', 'application/json', 'text/html', '*/*', 'https://app.example.com', 'https://evil.example', 'chunked', '5', '100-continue', 'close', 'keep-alive', 'h2c', '127.0.0.1'), garbage),
  ).map(([name, value]) => `${name}: ${value}\r\n`)
  const body = fc.oneof(
    oneOf(EVENT, '{}', '[]', 'null', '"x"', JSON.stringify([progress(1), progress(2)]), '{"topics":"progress"}', '{"origin":"https://app.example.com"}', '{"type":"close"}', '{"__proto__":1}'),
    oneOf(`{"type":"custom","a":${'['.repeat(9_000)}${']'.repeat(9_000)}}`, `{"type":"custom","a":"${'x'.repeat(70_000)}"}`),
    fc.json({ maxDepth: 3 }), fc.record({ type: oneOf('progress', 'stage', 'completion', 'error'), poId: fc.jsonValue(), progress: fc.jsonValue(), stage: fc.string() }).map((event) => JSON.stringify(event)), garbage)
  const good = oneOf(
    { method: 'GET', path: EVENTS, credential: bearer(token), accept: 'text/event-stream', body: '' },
    { method: 'GET', path: EVENTS, credential: `Cookie: session=${token}\r\n`, accept: '*/*', body: '' },
    { method: 'POST', path: TICKET, credential: bearer(token), accept: 'application/json', body: '{"topics":"progress"}' },
    { method: 'POST', path: PUBLISH, credential: AS_PUBLISHER, accept: '*/*', body: JSON.stringify(progress(1)) },
    { method: 'POST', path: PUBLISH, credential: AS_PUBLISHER, accept: '*/*', body: EVENT },
  )
  const rarely = <T>(odd: fc.Arbitrary<T>) => mostly<T | undefined>(fc.constant(undefined), odd)
  const wellFramed = fc.tuple(good, fc.record({
    method: rarely(method), path: rarely(path), query: rarely(query), credential: rarely(credential), accept: rarely(garbage), body: rarely(body), type: rarely(garbage), headers: rarely(fc.array(header, { maxLength: 6 })),
  })).map(([sound, odd]) => {
    const { method, path, credential, accept, body } = { ...sound, ...Object.fromEntries(Object.entries(odd).filter(([, value]) => value !== undefined)) }
    const framing = body === '' ? '' : `Content-Type: ${odd.type ?? 'application/json'}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`
    return `${method} ${path}${odd.query ?? ''} HTTP/1.1\r\nHost: x\r\n${credential}Accept: ${accept}\r\n${(odd.headers ?? []).join('')}${framing}\r\n${body}`
  })
  /** Some bytes of it are others. */
  const damaged = fc.tuple(wellFramed, fc.array(fc.tuple(fc.nat(), fc.string({ unit: 'binary', maxLength: 3 })), { minLength: 1, maxLength: 3 })).map(([request, changes]) =>
    changes.reduce((text, [at, other]) => text.slice(0, at % text.length) + other + text.slice(at % text.length + other.length), request))
  const request = fc.oneof({ weight: 12, arbitrary: wellFramed }, { weight: 2, arbitrary: damaged }, { weight: 1, arbitrary: garbage })
  const visit = fc.record({
    requests: fc.oneof({ weight: 3, arbitrary: request.map((one) => [one]) }, { weight: 1, arbitrary: fc.array(request, { minLength: 2, maxLength: 6 }) }),
    /** Where what is sent is cut in two, of its length. */
    cut: fc.double({ min: 0, max: 1, noNaN: true }),
    leaves: oneOf('at the end', 'at the end', 'at the end', 'in the middle', 'by a reset'),
  })

  /** Several requests that are answered one after the other: whatever came before them and could be answered has been. */
  const settled = async () => { for (let i = 0; i < 4; i++) await (await fetch(`${service.url}/healthz`)).text() }

  const property = fc.asyncProperty(fc.array(visit, { minLength: 25, maxLength: 25 }), async (visits) => {
    const clients = visits.map(({ requests, cut, leaves }) => {
      const bytes = Buffer.from(requests.join(''))
      const at = Math.floor(bytes.length * cut)
      const client = new RawClient(t, service.port)
      client.socket.write(bytes.subarray(0, at))
      const connected = once(client.socket, 'connect')
      seen.requests += requests.length
      return { client, connected, rest: bytes.subarray(at), leaves }
    })
    await Promise.all(clients.map(({ connected }) => connected))
    await settled()
    for (const { client: { socket }, rest, leaves } of clients) {
      if (leaves === 'in the middle') socket.end()
      else socket.write(rest)
    }
    await settled()
    const answers = clients.map(({ client, leaves }) => {
      if (leaves === 'by a reset') client.reset()
      else client.socket.destroy()
      return client.answer
    })
    for (const [, digits] of answers.join('\n').matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
      const status = Number(digits)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      // Whoever is asked is in the process, so that there is no reason for a 503 either.
      if (status >= 500) throw new Error(`status ${status}`)
    }
    const faults = service.log.all.filter(({ level }) => level >= 50)
    const fault = faults[seen.faults]
    seen.faults = faults.length
    if (fault !== undefined) throw new Error(JSON.stringify(fault))
  })
  const run = async (requests: number) => {
    const until = seen.requests + requests
    // Its error says by which seed and path it comes again. What came earlier may have its part in it, so that to shrink it is of no use.
    while (seen.requests < until) await fc.assert(property, { numRuns: 10, endOnFailure: true, includeErrorInReport: true })
  }
  const isClosed = ({ msg }: LogLine) => msg === 'stream closed'
  const allGone = async () => {
    await settled()
    await service.log.count(await service.metric('connections_opened_total'), isClosed)
    return { connections: await service.metric('connections'), merchants: await service.metric('merchants_connected'), owed: await service.metric('write_buffer_bytes') }
  }
  const nobody = { connections: 0, merchants: 0, owed: 0 }

  const startedAt = performance.now()
  await run(2_000) // What the first leave behind is warmth, not a leak.
  t.strictSame(await allGone(), nobody)
  const before = { heap: await service.heap(), timers: await service.resources('Timeout') }
  await run(8_000)
  t.strictSame(await allGone(), nobody)
  t.comment(`${seen.requests} requests in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s; answers by status: ${JSON.stringify(Object.fromEntries([...statuses].sort()))}`)

  for (const status of [200, 202, 400, 401, 403, 404, 405, 406, 413, 415]) t.ok(statuses.get(status)! >= 10, `${status} is among the answers`)
  t.ok([...statuses.values()].reduce((sum, n) => sum + n) >= 4_000, 'many were answered: the rest came behind one that ends a connection, or was left')
  const grown = await service.heap() - before.heap
  t.ok(grown < 4 * 2 ** 20, `${grown} bytes more: 500 bytes left by each would be 4 MB`)
  const sockets = await service.resources('TCPSocketWrap')
  t.ok(sockets < 10, `${sockets} sockets are left: of this test's own requests`)
  const timers = await service.resources('Timeout')
  t.ok(timers < before.timers + 5, `${timers} timers, ${before.timers} before`)

  const normal = await Stream.open(t, `${service.url}${EVENTS}`, { headers: { authorization: `Bearer ${token}` } })
  t.equal((await service.publish('acme', progress(1), { authorization: `Bearer ${KEY}` })).status, 202)
  t.equal((await normal.published(1)).length, 1)
  service.signal('SIGTERM')
  t.strictSame(await service.exit, { code: 0, signal: null })
})

/** What is no text in Unicode cannot be encoded, and is left as it is. */
function encodeURIComponentOr (text: string): string {
  return /\p{Surrogate}/u.test(text) ? text : encodeURIComponent(text)
}
