import fc from 'fast-check'
import t from 'tap'
import { addressOf, channelOf, decode, publishable, topicLabel, type Message } from '../src/message.js'
import { progress } from './helpers/service.js'
import { TestRedis } from './helpers/redis.js'
import { Service } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

const MAX = 65_536
const read = (payload: string | Buffer, channel = 'merchant:TEST:progress') => decode('merchant', MAX, channel, Buffer.from(payload))

t.test('channels', async (t) => {
  const good: Array<[channel: string, merchantId: string, topic: string]> = [
    ['merchant:TEST:progress', 'TEST', 'progress'],
    ['merchant:shop.myshopify.com:error', 'shop.myshopify.com', 'error'],
    ['merchant:5f0c0f9e-7a55-4b7e-9a4e-0d6f0e6f2b11:stage', '5f0c0f9e-7a55-4b7e-9a4e-0d6f0e6f2b11', 'stage'],
    [`merchant:${'a'.repeat(128)}:${'b'.repeat(64)}`, 'a'.repeat(128), 'b'.repeat(64)],
    ['merchant:a:b:c', 'a', 'b:c'],
    ['merchant:0:_', '0', '_'],
  ]
  for (const [channel, merchantId, topic] of good) {
    t.strictSame(addressOf('merchant', channel), { merchantId, topic }, channel)
    t.equal(channelOf('merchant', { merchantId, topic }), channel)
  }
  const bad = [
    'merchant', 'merchant:', 'merchant:a', 'merchant:a:', 'merchant::progress', 'merchants:a:progress', 'xmerchant:a:b', 'other:a:b', '',
    'merchant:_probe:x', 'merchant:.a:b', 'merchant:-a:b', 'merchant:a b:c', 'merchant:*:b', 'merchant:é:b', 'merchant:a\0:b', 'merchant:a\n:b',
    `merchant:${'a'.repeat(129)}:b`, `merchant:a:${'b'.repeat(65)}`, 'merchant:a:b c', 'merchant:a:b\ndata', 'merchant:a:é', 'merchant:a:*',
  ]
  for (const channel of bad) {
    t.equal(addressOf('merchant', channel), undefined, JSON.stringify(channel))
    t.equal(read('{}', channel), 'bad_channel')
  }
  t.equal(topicLabel('stage'), 'stage')
  for (const topic of ['custom', '__proto__', 'constructor']) t.equal(topicLabel(topic), 'other')
})

t.test('payloads that are dropped', async (t) => {
  const cases: Array<[name: string, payload: string | Buffer, reason: string]> = [
    ['nothing', '', 'not_json'], ['no JSON', 'progress 50%', 'not_json'], ['half an object', '{"type":', 'not_json'], ['two objects', '{}{}', 'not_json'],
    ['a BOM', '\ufeff{}', 'not_json'], ['NaN', 'NaN', 'not_json'], ['a raw line break in a string', '{"a":"\n"}', 'not_json'],
    ['an array', '[]', 'not_object'], ['null', 'null', 'not_object'], ['a number', '42', 'not_object'], ['a string', '"x"', 'not_object'], ['true', 'true', 'not_object'],
    ['64 KiB + 1', `{"a":"${'x'.repeat(MAX - 7)}"}`, 'too_big'], ['64 KiB + 1 in bytes, not characters', `{"a":"${'é'.repeat((MAX - 6) / 2)}"}`, 'too_big'],
    ['a lone surrogate, as bytes', Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x7d]), 'not_utf8'],
    ['Latin-1', Buffer.from('{"a":"é"}', 'latin1'), 'not_utf8'], ['an overlong slash', Buffer.from([0xc0, 0xaf]), 'not_utf8'],
    ['a gap of its own', '{"type":"gap"}', 'reserved_name'], ['a close of its own', '{"type":"close","reconnect":false}', 'reserved_name'],
  ]
  for (const [name, payload, reason] of cases) t.equal(read(payload), reason, name)
  t.equal(read('{}', 'merchant:a:close'), 'reserved_name', 'nor by the topic')
  t.type(read(`{"a":"${'x'.repeat(MAX - 8)}"}`), 'object', '64 KiB are not too big')
})

t.test('the name of an event is its type, or else its topic', async (t) => {
  const named = (type: unknown, topic = 'topic:x') => (read(JSON.stringify({ type }), `merchant:a:${topic}`) as Message).name
  for (const type of ['progress', 'a', 'A.b_c-9', 'x'.repeat(64), 'message', 'open']) t.equal(named(type), type)
  const invalid = ['', '9', '_a', 'a b', 'a:b', 'a\nb', 'a\r', 'a\ndata: injected', 'é', 'x'.repeat(65), 5, null, {}, ['progress'], true]
  for (const type of invalid) t.equal(named(type), 'topic:x', JSON.stringify(type))
  t.equal((read('{"__proto__":{"type":"stage"}}') as Message).name, 'progress', 'an own __proto__ is a field like any other')
  t.equal((read('{"type":"\\u0073tage"}') as Message).name, 'stage')
})

t.test('timestamps are taken from numbers only', async (t) => {
  t.equal((read('{"timestamp":5}') as Message).timestamp, 5)
  for (const payload of ['{}', '{"timestamp":"5"}', '{"timestamp":null}']) t.equal((read(payload) as Message).timestamp, undefined)
})

t.test('what may be published', async (t) => {
  const stage = { type: 'stage', stage: 's', poId: '1', status: 'started', message: '' }
  const good = [
    progress(1), stage, { ...stage, status: 'completed', workflowId: 'w' }, { type: 'completion', stage: 's', poId: '1', lineItems: [1], confidence: 0.5 },
    { type: 'error', stage: 's', poId: '1', error: 'e' }, { type: 'custom' }, { type: 'order.v2', anything: { goes: true } }, { type: 'toString' },
  ]
  for (const event of good) t.match(publishable(event, 7), { event }, JSON.stringify(event))
  t.match(publishable(stage, 7), { event: { timestamp: 7 } }, 'one of the four is stamped')
  t.match(publishable(progress(1, { timestamp: 3 }), 7), { event: { timestamp: 3 } }, 'but not over a stamp')
  t.strictSame(publishable({ type: 'custom' }, 7), { event: { type: 'custom' } }, 'and others are let be')

  const bad: Array<[event: unknown, field: string]> = [
    [null, 'event'], [[], 'event'], ['x', 'event'], [5, 'event'], [{}, 'type'], [{ type: 5 }, 'type'], [{ type: 'a b' }, 'type'], [{ type: 'a\r\nb' }, 'type'],
    [{ type: 'x'.repeat(65) }, 'type'], [{ type: 'gap' }, 'type'], [{ type: 'close' }, 'type'], [{ type: 'progress' }, 'poId'],
    [progress(1, { progress: 101 }), 'progress'], [progress(1, { progress: -1 }), 'progress'], [progress(1, { progress: '50' }), 'progress'], [progress(1, { progress: NaN }), 'progress'],
    [progress(1, { poId: '' }), 'poId'], [progress(1, { poId: 7 }), 'poId'], [progress(1, { message: null }), 'message'], [progress(1, { timestamp: 1.5 }), 'timestamp'],
    [progress(1, { timestamp: '2026' }), 'timestamp'], [progress(1, { etaMs: -1 }), 'etaMs'], [{ ...stage, status: 'begun' }, 'status'],
    [{ type: 'completion', stage: 's', poId: '1', confidence: 1.1 }, 'confidence'], [{ type: 'error', stage: 's', poId: '1', error: {} }, 'error'],
  ]
  for (const [event, field] of bad) t.match(publishable(event, 7), { field, problem: String }, JSON.stringify(event))
})

t.test('what is published is what a parser reads back', async (t) => {
  const redis = await TestRedis.start(t)
  const service = await Service.start(t, { REDIS_URL: redis.url })
  const { Redis } = await import('ioredis')
  const publisher = new Redis(redis.url)
  t.teardown(() => { publisher.disconnect() })
  await service.log.first(({ msg }) => msg === 'subscribed')
  const stream = await Stream.open(t, service.streamUrl('TEST'))

  const lineBreak = fc.constantFrom('\n', '\r', '\r\n')
  const strings = fc.string({ unit: 'binary', maxLength: 40 })
  const json = fc.tuple(fc.dictionary(strings, fc.jsonValue({ stringUnit: 'binary' }), { maxKeys: 5 }), fc.option(strings), fc.integer({ min: 0, max: 3 }), lineBreak)
    // Line breaks in JSON text are white space between its tokens: every kind of them is tried.
    .map(([fields, type, indent, eol]) => JSON.stringify(type === null ? fields : { ...fields, type }, null, indent).replaceAll('\n', eol))
    .filter((text) => read(text, 'merchant:TEST:t') !== 'reserved_name')
  let published = 0
  await fc.assert(fc.asyncProperty(fc.array(json, { minLength: 1, maxLength: 20 }), async (payloads) => {
    await Promise.all(payloads.map((payload) => publisher.publish('merchant:TEST:t', payload)))
    const events = (await stream.published(published + payloads.length)).slice(published)
    const names = stream.events.all.filter(({ event }) => event !== undefined).slice(published).map(({ event }) => event)
    published += payloads.length
    for (const [i, payload] of payloads.entries()) {
      if (events[i] !== payload.replaceAll(/\r\n|\r/g, '\n')) throw new Error(`sent ${JSON.stringify(payload)}, read ${JSON.stringify(events[i])}`)
      const expected = (read(payload, 'merchant:TEST:t') as Message).name
      if (names[i] !== expected) throw new Error(`named ${names[i]}, not ${expected}`)
    }
  }), { numRuns: 200 })
  for (const payload of ['{"a":"\u2028\u2029\u0085"}', '{"a":"\\ud800"}', '{\r\n"a":\r1,\n\n"b":2}', '{"__proto__":{"x":1}}', '{"a":"\\r\\ndata: x\\n\\n"}', '{"id":"\\u0000"}', ' {"leading":1}', '{"trailing":1}\n']) {
    await publisher.publish('merchant:TEST:t', payload)
    const read = (await stream.published(++published)).at(-1)
    // Not named after the payload: line breaks that only Unicode knows make tap lose all that it was told.
    t.equal(read, payload.replaceAll(/\r\n|\r/g, '\n'))
  }
  t.ok(stream.events.all.every(({ id }) => /^\d{13}\.([\w-]{8}|-)\.[\w-]{7}(\.\d{13})?$/.test(id ?? '')), 'every id is the service\'s')

  t.test('what cannot be passed on is counted, logged once a second, and does no harm', async (t) => {
    const hostile: Array<[channel: string, payload: string]> = [
      ['merchant:TEST:', '{}'], ['merchant:a b:c', '{}'], ['merchant:TEST:t', 'x'], ['merchant:TEST:t', '[]'], ['merchant:TEST:t', '{"type":"close"}'],
      ['merchant:TEST:t', `{"a":"${'x'.repeat(MAX)}"}`],
    ]
    for (let i = 0; i < 100; i++) await Promise.all(hostile.map(([channel, payload]) => publisher.publish(channel, payload)))
    await publisher.publish(Buffer.from('merchant:TEST:t'), Buffer.from([0xff]))
    await publisher.publish('merchant:TEST:t', '{"after":true}')
    t.equal((await stream.published(++published)).at(-1), '{"after":true}')
    for (const [reason, n] of Object.entries({ bad_channel: 200, not_json: 100, not_object: 100, reserved_name: 100, too_big: 100, not_utf8: 1 })) {
      t.equal(await service.metric(`messages_dropped_total{reason="${reason}"}`), n, reason)
    }
    const lines = service.log.all.filter(({ msg }) => msg === 'message dropped')
    t.ok(lines.length >= 1 && lines.length <= 10, `${lines.length} lines for 601 messages`)
  })
})
