import t from 'tap'
import { RawClient } from './helpers/raw.js'
import { Service, progress } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

const KEY = 'k'.repeat(32)
const OTHER_KEY = 'o'.repeat(40)

t.test('publishing over HTTP', async (t) => {
  const service = await Service.start(t)
  const post = async (body: string, { merchantId = 'TEST', type = 'application/json' } = {}) => {
    const answer = await fetch(`${service.url}/api/realtime/merchants/${merchantId}/events`, { method: 'POST', body, headers: { 'content-type': type } })
    return { status: answer.status, body: await answer.json() as Record<string, unknown> }
  }

  /** Messages that came in, of whatever topic. */
  const received = async () => {
    const topics = ['progress', 'stage', 'completion', 'error', 'other']
    const each = await Promise.all(topics.map((topic) => service.metric(`messages_received_total{topic="${topic}"}`)))
    return each.reduce((sum, n) => sum + n)
  }

  t.test('one event, or up to a hundred, in order', async (t) => {
    const stream = await Stream.open(t, service.streamUrl('TEST'))
    t.match(await post(JSON.stringify(progress(0))), { status: 202, body: { published: 1 } })
    t.match(await post(JSON.stringify(Array.from({ length: 100 }, (_, i) => progress(i + 1)))), { status: 202, body: { published: 100 } })
    const messages = (await stream.published(101)).map((data) => (JSON.parse(data) as { message: string }).message)
    t.strictSame(messages, Array.from({ length: 101 }, (_, i) => `step ${i}`))
    t.equal(await service.metric('messages_published_total{via="http",topic="progress"}'), 101)
    t.equal(await service.metric('events_delivered_total{topic="progress"}'), 101)
  })

  t.test('an event of the four without timestamp gets one, and its latency is measured', async (t) => {
    const stream = await Stream.open(t, service.streamUrl('stamp'))
    const before = await service.metric('delivery_latency_seconds_count')
    const now = Date.now()
    await post('{"type":"error","stage":"s","poId":"1","error":"e"}', { merchantId: 'stamp' })
    await post('{"type":"custom"}', { merchantId: 'stamp' })
    await post('{"type":"custom","timestamp":12}', { merchantId: 'stamp' })
    const [stamped, plain] = await stream.published(3)
    t.ok((JSON.parse(stamped!) as { timestamp: number }).timestamp >= now)
    t.equal(plain, '{"type":"custom"}')
    t.equal(await service.metric('delivery_latency_seconds_count') - before, 1, 'a timestamp out of 1970 measures nothing')
  })

  t.test('a lone surrogate stays what it was', async (t) => {
    const stream = await Stream.open(t, service.streamUrl('surrogate'))
    await post('{"type":"custom","a":"\\ud800"}', { merchantId: 'surrogate' })
    t.strictSame(await stream.published(1), ['{"type":"custom","a":"\\ud800"}'])
  })

  const bad: Array<[name: string, body: string, status: number, code: string, options?: { merchantId?: string, type?: string }]> = [
    ['an empty array', '[]', 400, 'RTF_BAD_BATCH'],
    ['101 events', JSON.stringify(Array.from({ length: 101 }, (_, i) => progress(i))), 400, 'RTF_BAD_BATCH'],
    ['null', 'null', 400, 'RTF_BAD_BATCH'], ['a number', '5', 400, 'RTF_BAD_BATCH'], ['a string', '"progress"', 400, 'RTF_BAD_BATCH'],
    ['no body', '', 400, 'FST_ERR_CTP_EMPTY_JSON_BODY'], ['no JSON', '{"type":', 400, 'FST_ERR_CTP_INVALID_JSON_BODY'],
    ['__proto__', '{"__proto__":{"a":1},"type":"custom"}', 400, 'FST_ERR_CTP_INVALID_JSON_BODY'],
    ['no type', '{}', 400, 'RTF_BAD_EVENT'], ['a missing field', '{"type":"progress"}', 400, 'RTF_BAD_EVENT'],
    ['a bad one among good ones', JSON.stringify([progress(1), progress(2, { progress: 101 })]), 400, 'RTF_BAD_EVENT'],
    ['one nested deeper than the stack goes', `{"type":"custom","a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, 400, 'RTF_BAD_EVENT'],
    ['a type with a line break', '{"type":"a\\r\\nb"}', 400, 'RTF_BAD_EVENT'], ['a reserved type', '{"type":"close"}', 400, 'RTF_BAD_EVENT'],
    ['an event of 64 KiB + 1', `{"type":"custom","a":"${'x'.repeat(65_536 - 23)}"}`, 413, 'RTF_EVENT_TOO_LARGE'],
    ['plain text', JSON.stringify(progress(1)), 415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', { type: 'text/plain' }],
    ['a form', 'type=progress', 415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', { type: 'application/x-www-form-urlencoded' }],
    ['a content type that is none', '{}', 415, 'FST_ERR_CTP_INVALID_MEDIA_TYPE', { type: 'json' }],
    ...['a%3Ab', '*', 'a%20b', 'a%00', '%C3%A9', 'a'.repeat(129), '_probe', '.a'].map((merchantId): [string, string, number, string, { merchantId: string }] =>
      [`merchant ${merchantId.slice(0, 10)}`, JSON.stringify(progress(1)), 400, 'RTF_BAD_MERCHANT_ID', { merchantId }]),
  ]
  for (const [name, body, status, code, options] of bad) {
    t.test(`${name} is ${status}`, async (t) => {
      const before = await received()
      const answer = await post(body, options)
      t.match(answer, { status, body: { code, statusCode: status, message: String, error: String } })
      t.equal(await received(), before, 'nothing of it is published')
    })
  }

  t.test('the field that is wrong is named', async (t) => {
    t.match((await post(JSON.stringify([progress(1), progress(2, { progress: 101 })]))).body.message, /^event 1: progress /)
    t.match((await post('{"type":"stage"}')).body.message, /^(stage|poId|status|message) /)
  })

  t.test('an event of exactly 64 KiB passes', async (t) => {
    t.equal((await post(`{"type":"custom","a":"${'x'.repeat(65_536 - 24)}"}`)).status, 202)
  })

  t.test('a body too large for any batch is 413 before it is sent', async (t) => {
    const client = new RawClient(t, service.port, `POST /api/realtime/merchants/TEST/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${100 * 65_537 + 2}\r\n\r\n`)
    t.match(await client.until('FST_ERR_CTP_BODY_TOO_LARGE'), /^HTTP\/1\.1 413 /)
  })

  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']) {
    t.test(`${method} is 405`, async (t) => {
      const answer = await fetch(`${service.url}/api/realtime/merchants/TEST/events`, { method })
      t.equal(answer.status, 405)
      t.equal(answer.headers.get('allow'), 'POST')
    })
  }

  t.test('a body without content type is 415', async (t) => {
    const client = new RawClient(t, service.port, 'POST /api/realtime/merchants/TEST/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}')
    await client.closed
    t.match(client.answer, /^HTTP\/1\.1 415 /)
  })
})

t.test('PUBLISH_KEY', async (t) => {
  t.test('without one, publishing is off outside development', async (t) => {
    const service = await Service.start(t, { NODE_ENV: 'test' })
    const answer = await service.publish('TEST', progress(1))
    t.equal(answer.status, 404)
    t.match(await answer.json(), { code: 'RTF_NOT_FOUND' })
  })

  t.test('with some, each of them publishes and nothing else does', async (t) => {
    const service = await Service.start(t, { NODE_ENV: 'test', PUBLISH_KEY: `${KEY},${OTHER_KEY}` })
    const status = async (authorization?: string) => (await service.publish('TEST', progress(1), authorization === undefined ? {} : { authorization })).status
    for (const key of [`Bearer ${KEY}`, `bearer ${OTHER_KEY}`]) t.equal(await status(key), 202)
    for (const key of [undefined, '', 'Bearer', 'Bearer ', `Basic ${KEY}`, KEY, `Bearer ${KEY}x`, `Bearer ${KEY.slice(1)}`, `Bearer ${KEY},${OTHER_KEY}`, `Bearer ${KEY} ${OTHER_KEY}`]) {
      t.equal(await status(key), 401, String(key))
    }
    const twice = new RawClient(t, service.port, `POST /api/realtime/merchants/TEST/events HTTP/1.1\r\nHost: x\r\n${`Authorization: Bearer ${KEY}\r\n`.repeat(2)}Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`)
    await twice.closed
    t.match(twice.answer, /^HTTP\/1\.1 400 [^]*RTF_CREDENTIAL_TWICE/)
    t.ok((await service.publish('TEST', progress(1))).headers.get('www-authenticate'))
    t.notMatch(JSON.stringify(service.log.all), KEY, 'a key is never logged')
    t.equal((await service.publish('not a merchant', progress(1))).status, 401, 'who has no key learns nothing')
  })
})
