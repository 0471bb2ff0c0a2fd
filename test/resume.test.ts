import t, { type Test } from 'tap'
import { SKEW_MS, epochOf, formatCursor } from '../src/fanout/cursor.js'
import { Proxy } from './helpers/proxy.js'
import { RawClient } from './helpers/raw.js'
import { TestRedis } from './helpers/redis.js'
import { Service } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

/*
 * A client that comes back, on the same instance or another one: what it is sent, by what it brings with it.
 */

/** An event with this number. */
const numbered = (n: number, type = 'numbers') => ({ type, n })

interface Data {
  readonly n?: number
  readonly type: string
  readonly reason?: string
  readonly from?: number
  readonly to?: number
}
type Event = Stream['events']['all'][number]

const parse = ({ data }: Event) => JSON.parse(data) as Data

/** All that a stream brought so far: numbers as such, of all else what it is. */
const story = ({ events }: Stream) => events.all.map((event) => {
  const { n, type, reason } = parse(event)
  return n ?? (reason === undefined ? type : `${type}: ${reason}`)
})

const number = async ({ events }: Stream, n: number) => events.first((event) => parse(event).n === n)

/** The id that came with a number. */
const idOf = async (stream: Stream, n: number) => (await number(stream, n)).id!

/** The one gap of a stream. */
function gapOf ({ events }: Stream): Required<Pick<Data, 'from' | 'to'>> & { readonly id: string } {
  const [gap, ...more] = events.all.filter(({ event }) => event === 'gap')
  if (gap === undefined || more.length > 0) throw new Error(`${more.length} gaps too many`)
  const { from, to } = parse(gap)
  return { from: from!, to: to!, id: gap.id! }
}

/** A client that comes back with this, as an EventSource does. */
async function comeBack (t: Test, service: Service, merchantId: string, lastEventId: string, query = ''): Promise<Stream> {
  return Stream.open(t, service.streamUrl(merchantId, query), { headers: { 'last-event-id': lastEventId } })
}

/** Leaves, once all of these have come. */
async function leave (stream: Stream, n: number): Promise<string> {
  await number(stream, n)
  stream.close()
  await stream.closed
  return stream.lastEventId
}

/** That nothing but this has come, nor comes before the number given is published. */
async function ends (t: Test, stream: Stream, publish: (n: number) => Promise<unknown>, last: number, expected: Array<number | string>): Promise<void> {
  await publish(last)
  await number(stream, last)
  t.strictSame(story(stream), [...expected, last])
}

/** How often it counted each way in which streams begin, of those that are not 0. */
async function outcomes (service: Service): Promise<Record<string, number>> {
  const counts = await Promise.all(['exact', 'behind', 'covered', 'gap', 'fresh'].map(async (outcome) => [outcome, await service.metric(`resumes_total{outcome="${outcome}"}`)] as const))
  return Object.fromEntries(counts.filter(([, count]) => count > 0))
}

t.test('a client that comes back to the same instance', async (t) => {
  const service = await Service.start(t, { HEARTBEAT_MS: '200' })
  const publish = async (merchantId: string, ...numbers: number[]) => service.publish(merchantId, numbers.map((n) => numbered(n)))

  t.test('gets all that it missed, once, in order, before what comes', async (t) => {
    const stream = await Stream.open(t, service.streamUrl('exact'))
    await publish('exact', 1, 2, 3)
    const id = await idOf(stream, 2)
    t.match(id, /^\d{13}\.[\w-]{8}\.[\w-]{7}$/)
    await leave(stream, 3)
    await publish('exact', 4)
    await publish('other', 99)
    const back = await comeBack(t, service, 'exact', id)
    t.equal(back.events.all[0]!.id, id, 'it is told first where it is')
    await ends(t, back, (n) => publish('exact', n), 5, ['connected', 3, 4])
    t.strictSame(back.events.all[1], stream.events.all.find((event) => parse(event).n === 3), 'and the same, with the same id')
  })

  t.test('gets nothing if it missed nothing', async (t) => {
    const stream = await Stream.open(t, service.streamUrl('nothing'))
    await publish('nothing', 1)
    const back = await comeBack(t, service, 'nothing', await idOf(stream, 1))
    await ends(t, back, (n) => publish('nothing', n), 2, ['connected'])
  })

  t.test('that has seen nothing but that it was connected, gets all since then', async (t) => {
    await publish('greeted', 1)
    const stream = await Stream.open(t, service.streamUrl('greeted'))
    const [{ id }] = stream.events.all as [Event]
    await publish('greeted', 2)
    await leave(stream, 2)
    const back = await comeBack(t, service, 'greeted', id!)
    await ends(t, back, (n) => publish('greeted', n), 3, ['connected', 2])

    const early = await Stream.open(t, service.streamUrl('early'))
    await publish('early', 1)
    const later = await comeBack(t, service, 'early', early.events.all[0]!.id!)
    await ends(t, later, (n) => publish('early', n), 2, ['connected', 1])
  })

  t.test('gets what it missed of its topics, be the last that it has seen of another one', async (t) => {
    const all = await Stream.open(t, service.streamUrl('topics'))
    await service.publish('topics', [numbered(1, 'a'), numbered(2, 'b'), numbered(3, 'a'), numbered(4, 'c')])
    const id = await idOf(all, 2)
    await number(all, 4)
    const back = await comeBack(t, service, 'topics', id, '&topics=a,c')
    await ends(t, back, (n) => service.publish('topics', [numbered(0, 'b'), numbered(n, 'a')]), 5, ['connected', 3, 4])
  })

  t.test('idle, comes back by the id of a heartbeat', async (t) => {
    await publish('idle', 1)
    const stream = await Stream.open(t, service.streamUrl('idle'))
    const [{ id: greeted }] = stream.events.all as [Event]
    // The first may belong to the same millisecond.
    await stream.comments.count(2)
    const id = stream.lastEventId
    t.match(id, /^\d{13}\.[\w-]{8}\.[\w-]{7}\.\d{13}$/)
    t.not(id, greeted)
    t.equal(id.split('.')[1], greeted!.split('.')[1], 'it says the same event')
    t.ok(Number(id.split('.')[3]) > Number(greeted!.split('.')[3]), 'at a later time')
    stream.close()
    await publish('idle', 2)
    const back = await comeBack(t, service, 'idle', id)
    await ends(t, back, (n) => publish('idle', n), 3, ['connected', 2])

    const empty = await Stream.open(t, service.streamUrl('never'))
    await empty.comments.count(2)
    t.match(empty.lastEventId, /^\d{13}\.-\.[\w-]{7}\.\d{13}$/)
    empty.close()
    await publish('never', 1)
    await ends(t, await comeBack(t, service, 'never', empty.lastEventId), (n) => publish('never', n), 2, ['connected', 1])
  })

  t.test('a heartbeat moves no client backwards', async (t) => {
    const stream = await Stream.open(t, service.streamUrl('forward'))
    for (let n = 1; n <= 5; n++) {
      await publish('forward', n)
      await stream.comments.next()
    }
    const ids = [...stream.raw.matchAll(/^id: (\d+)\.\S+?(?:\.(\d{13}))?$/gm)].map(([, arrivedMs, caughtUpMs]) => Math.max(Number(arrivedMs), Number(caughtUpMs ?? 0)))
    t.ok(ids.length > 10)
    t.strictSame(ids, [...ids].sort((a, b) => a - b))
  })

  t.test('is counted by how it began', async (t) => {
    t.strictSame(await outcomes(service), { exact: 5, covered: 2, fresh: 8 })
    for (const reason of ['redis_outage', 'history_evicted', 'unknown_cursor']) t.equal(await service.metric(`gaps_total{reason="${reason}"}`), 0)
  })
})

t.test('where the cursor is said', async (t) => {
  const service = await Service.start(t)
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  await service.publish('TEST', [1, 2, 3].map((n) => numbered(n)))
  await number(stream, 3)
  const [one, two] = [await idOf(stream, 1), await idOf(stream, 2)]
  let last = 3

  const table: Array<[name: string, header: string | undefined, query: string, expected: Array<number | string>]> = [
    ['in the header', one, '', [2, 3]],
    ['in the query', undefined, `&lastEventId=${one}`, [2, 3]],
    ['in both: the header wins', two, `&lastEventId=${one}`, [3]],
    ['in the header, and something bad in the query', two, '&lastEventId=x&lastEventId=y', [3]],
    ['in the query twice', undefined, `&lastEventId=${one}&lastEventId=${one}`, ['gap: unknown_cursor']],
    ['nowhere: the header is empty', '', '', []],
    ['nowhere: the header is empty, which wins', '', `&lastEventId=${one}`, []],
    ['nowhere: the query is empty', undefined, '&lastEventId=', []],
    ['nowhere', undefined, '', []],
    ['and a replay asked for, which is not heeded', two, '&replay=3', [3]],
  ]
  for (const [name, header, query, expected] of table) {
    await t.test(name, async (t) => {
      const back = await Stream.open(t, service.streamUrl('TEST', query), header === undefined ? {} : { headers: { 'last-event-id': header } })
      const missed = expected.length === 0 || typeof expected[0] === 'string' ? [] : Array.from({ length: last - 3 }, (_, i) => i + 4)
      await ends(t, back, (n) => service.publish('TEST', numbered(n)), ++last, ['connected', ...expected, ...missed])
    })
  }
  t.strictSame(await outcomes(service), { exact: 5, gap: 1, fresh: 5 })
})

t.test('?replay=', async (t) => {
  const service = await Service.start(t)
  const topicOf = (n: number) => n % 2 === 0 ? 'even' : 'odd'

  const table: Array<[query: string, expected: number[], since: number[]]> = [
    ['&replay=2', [5, 6], [5, 6]], ['&replay=6', [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]], ['&replay=7', [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]],
    ['&replay=10000', [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]], ['&replay=0', [], []], ['&replay=00001', [6], [6]], ['', [], []],
    ['&replay=2&topics=live,even', [4, 6], [4, 5, 6]], ['&replay=3&topics=live,odd', [1, 3, 5], [1, 2, 3, 4, 5, 6]], ['&replay=5&topics=live', [], []], ['&replay=2&topics=live,odd,even', [5, 6], [5, 6]],
  ]
  for (const [i, [query, expected, since]] of table.entries()) {
    t.test(`${query || 'none'}: the last that are held, of those that are wanted`, async (t) => {
      const merchantId = `m${i}`
      await service.publish(merchantId, [1, 2, 3, 4, 5, 6].map((n) => numbered(n, topicOf(n))))
      const stream = await Stream.open(t, service.streamUrl(merchantId, query))
      await ends(t, stream, (n) => service.publish(merchantId, numbered(n, 'live')), 7, ['connected', ...expected])
      const back = await comeBack(t, service, merchantId, stream.events.all[0]!.id!)
      await ends(t, back, (n) => service.publish(merchantId, numbered(n, 'live')), 8, ['connected', ...since, 7])
    })
  }

  t.test('of a merchant that has had nothing', async (t) => {
    const stream = await Stream.open(t, service.streamUrl('empty', '&replay=5'))
    await ends(t, stream, (n) => service.publish('empty', numbered(n)), 1, ['connected'])
  })

  const bad = ['-1', '1.5', '1e3', '10001', '99999', '100000', '9'.repeat(400), '', ' ', '%201', '0x1', 'NaN', 'Infinity', 'abc', '١', '%00', '1;2', 'null', '1%0A']
  for (const replay of bad) {
    t.test(`${replay.slice(0, 20)} is 400`, async (t) => {
      const answer = await fetch(service.streamUrl('TEST', `&replay=${replay}`))
      t.equal(answer.status, 400)
      t.match(await answer.json(), { code: 'RTF_BAD_REPLAY', statusCode: 400, message: String })
    })
  }
  t.test('two of them are 400', async (t) => {
    const answer = await fetch(service.streamUrl('TEST', '&replay=1&replay=2'))
    t.equal(answer.status, 400)
    t.match(await answer.json(), { code: 'FST_ERR_VALIDATION' })
  })
  t.test('those are counted', async (t) => {
    t.equal(await service.metric('connections_rejected_total{reason="bad_request"}'), bad.length + 1)
  })

  t.test('a bad one is 400 beside a cursor, too, and does not use up a ticket', async (t) => {
    const { ticket } = await (await fetch(`${service.url}/api/realtime/ticket?merchantId=TEST`, { method: 'POST' })).json() as { ticket: string }
    const url = `${service.url}/api/realtime/events?ticket=${ticket}`
    t.equal((await fetch(`${url}&replay=-1`, { headers: { 'last-event-id': 'x' } })).status, 400)
    const stream = await Stream.open(t, `${url}&replay=1`)
    t.equal(stream.status, 200)
    t.equal((await fetch(url)).status, 401)
  })
})

t.test('a cursor that means nothing is a gap, never an error that would silence a browser', async (t) => {
  const service = await Service.start(t, { HEARTBEAT_MS: '200' })
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  const foreign = await Stream.open(t, service.streamUrl('OTHER'))
  await service.publish('TEST', numbered(1))
  await service.publish('OTHER', numbered(1))
  const id = await idOf(stream, 1)
  const [arrivedMs, hash, epoch] = id.split('.')
  await foreign.comments.count(1)
  await number(foreign, 1)
  const moment = `${id}.${arrivedMs}`
  const future = Date.now() + 3_600_000

  const encoded: Array<[name: string, cursor: string]> = [
    ['a word', 'hello'], ['a number', '17'], ['a negative number', '-1'], ['negative times', `-${id}`], ['zeros', '0.0.0.0'], ['dots', '...'], ['null', 'null'], ['NaN', `NaN.${hash}.${epoch}`],
    ['names that every object has', '__proto__.constructor.toString'],
    ['an event of an hour from now', `${future}.${hash}.${epoch}`], ['a moment an hour from now', `${id}.${future}`], ['the end of time', `999999999999999.${hash}.${epoch}`],
    ['a time that no number holds', `${'9'.repeat(30)}.${hash}.${epoch}`], ['a time of many digits', `${'1'.repeat(10_000)}.${hash}.${epoch}`],
    ['gigantic', 'x'.repeat(12_000)], ['a gigantic hash', `${arrivedMs}.${'A'.repeat(10_000)}.${epoch}`],
    ['unicode', '🛒.é.１'], ['unicode digits', id.replace(/^\d/, '१')], ['a lone surrogate, as it is encoded', '%ED%A0%80'],
    ['a line break and a field', `${id}\nevent: evil\ndata: {"type":"evil"}\n\n`], ['a carriage return', `${id}\rid: evil`], ['a line break in front', `\n${id}`], ['NUL', `${id}\0`],
    ['a header', `${id}\r\nX-Evil: 1`], ['HTML', '<script>alert(1)</script>'], ['a template', '{{7*7}}'], ['a path', '../../../../etc/passwd'], ['a command of Redis', '\r\nFLUSHALL\r\n'],
    ['a space behind', `${moment} `], ['a part too many', `${moment}.1`], ['an empty hash', `${arrivedMs}..${epoch}`], ['a short hash', `${arrivedMs}.abc.${epoch}`], ['no event, and no moment', `${arrivedMs}.-.${epoch}`],
    ["another merchant's event", foreign.events.all.at(-1)!.id!], ["another merchant's heartbeat", foreign.lastEventId],
    ...Array.from({ length: id.length - 1 }, (_, i) => [`cut off after ${i + 1}`, id.slice(0, i + 1)] as [string, string]),
  ]
  const inHeader = (cursor: string) => /^[\x21-\xff](?:[\t\x20-\xff]*[\x21-\xff])?$/.test(cursor)
  let last = 1
  let gaps = 0
  for (const [name, cursor] of encoded) {
    await t.test(name, async (t) => {
      const requests = [Stream.open(t, service.streamUrl('TEST', `&lastEventId=${cursor.startsWith('%') ? cursor : encodeURIComponent(cursor)}`))]
      if (inHeader(cursor)) requests.push(comeBack(t, service, 'TEST', cursor))
      const before = Date.now()
      const streams = await Promise.all(requests)
      await service.publish('TEST', numbered(++last))
      for (const back of streams) {
        await number(back, last)
        gaps++
        t.strictSame(story(back), ['connected', 'gap: unknown_cursor', last])
        const { from, to, id } = gapOf(back)
        t.equal(from, 0, 'nothing tells since when')
        t.ok(to >= before && to <= Date.now())
        t.match(id, /^\d{13}\.[\w-]{8}\.[\w-]{7}\.\d{13}$/, 'it has a cursor that is good')
        for (const [, id] of back.raw.matchAll(/^id: (.*)$/gm)) t.match(id, /^(?:0\.-\.[\w-]{7}\.0|\d{13}\.[\w-]{8}\.[\w-]{7}(?:\.\d{13})?)$/, 'and nothing of the bad one is said again')
        t.notMatch(back.raw, /evil|alert|FLUSHALL/)
      }
    })
  }
  t.equal(await service.metric('gaps_total{reason="unknown_cursor"}'), gaps)
  t.equal(await service.metric('resumes_total{outcome="gap"}'), gaps)

  await t.test('two headers, which are one', async (t) => {
    const client = new RawClient(t, service.port, `GET /api/realtime/events?merchantId=TEST HTTP/1.1\r\nHost: x\r\nLast-Event-ID: ${id}\r\nLast-Event-ID: ${id}\r\n\r\n`)
    t.match(await client.until('event: gap'), /^HTTP\/1\.1 200 [^]*"reason":"unknown_cursor"/)
  })
  await t.test('what was told with the gap is good for coming back, even if nothing more was read', async (t) => {
    const back = await comeBack(t, service, 'TEST', 'hello')
    await back.events.count(2)
    const { id } = gapOf(back)
    await service.publish('TEST', numbered(++last))
    await ends(t, await comeBack(t, service, 'TEST', id), (n) => service.publish('TEST', numbered(n)), last + 1, ['connected', last])
    t.match(story(await comeBack(t, service, 'TEST', back.events.all[0]!.id!)), ['connected'], 'and with the greeting alone it is told again')
  })
})

t.test('however much it missed, and however slowly it reads, a client is sent all of it and is not cut off', async (t) => {
  const service = await Service.start(t, { MAX_BUFFERED_BYTES: '1024', HEARTBEAT_MS: '100' })
  const big = (n: number) => ({ type: 'progress', poId: 'one', progress: n % 101, message: 'x'.repeat(60_000), n, timestamp: Date.now() })
  for (let n = 0; n < 100; n += 20) await service.publish('TEST', Array.from({ length: 20 }, (_, i) => big(n + i)))
  const idle = await Stream.open(t, service.streamUrl('IDLE'))
  const strange = formatCursor({ arrivedMs: 1, hash: undefined, epoch: epochOf('else', 'TEST'), caughtUpMs: 1 })
  for (const query of ['&replay=100', `&lastEventId=${strange}`]) {
    const slow = await Stream.request(t, service.streamUrl('TEST', query))
    slow.response.pause()
    await idle.comments.count(idle.comments.all.length + 3)
    await service.publish('TEST', numbered(100))
    t.ok(await service.metric('write_buffer_bytes') > 1_024, 'it is owed more than a client that lags may be')
    await idle.comments.count(idle.comments.all.length + 3)
    slow.response.resume()
    await number(slow, 100)
    t.strictSame(story(slow).filter((each) => typeof each === 'number').slice(0, 101), Array.from({ length: 101 }, (_, n) => n), 'what it missed is not conflated')
    slow.close()
    await slow.closed
  }
  t.equal(await service.metric('slow_consumers_total'), 0)
  t.equal(await service.metric('events_conflated_total'), 0)
})

t.test('what is no longer held, or never was, is a gap', async (t) => {
  t.test('without a history: events have no id, and whoever comes back is told', async (t) => {
    const service = await Service.start(t, { HISTORY_EVENTS_PER_MERCHANT: '0', HEARTBEAT_MS: '200' })
    const stream = await Stream.open(t, service.streamUrl('TEST', '&replay=10'))
    const [{ id: greeted }] = stream.events.all as [Event]
    await service.publish('TEST', numbered(1))
    t.equal((await number(stream, 1)).id, undefined)
    await stream.comments.count(2)
    for (const id of [greeted!, stream.lastEventId]) {
      t.match(id, /^\d{13}\.-\.[\w-]{7}\.\d{13}$/)
      const back = await comeBack(t, service, 'TEST', id)
      await ends(t, back, (n) => service.publish('TEST', numbered(n)), 2, ['connected', 'gap: history_evicted'])
      t.ok(gapOf(back).from <= gapOf(back).to)
    }
    t.equal(await service.metric('history_events'), 0)
    t.equal(await service.metric('history_bytes'), 0)
    t.equal(await service.metric('gaps_total{reason="history_evicted"}'), 2)
  })

  t.test('for want of room', async (t) => {
    const service = await Service.start(t, { HISTORY_MAX_BYTES: '65536' })
    const stream = await Stream.open(t, service.streamUrl('TEST'))
    await service.publish('TEST', [1, 2].map((n) => numbered(n)))
    const [one, two] = [await idOf(stream, 1), await idOf(stream, 2)]
    const padding = { type: 'padding', padding: 'x'.repeat(20_000) }
    await service.publish('OTHER', [padding, padding])
    await service.publish('TEST', numbered(3))
    await number(stream, 3)
    t.equal(await service.metric('history_events'), 5)
    t.ok(await service.metric('history_bytes') > 40_000)
    await ends(t, await comeBack(t, service, 'TEST', one), (n) => service.publish('TEST', numbered(n)), 4, ['connected', 2, 3])

    for (let i = 0; i < 4; i++) await service.publish('OTHER', Array.from({ length: 100 }, () => ({ type: 'padding', padding: 'x'.repeat(200) })))
    await ends(t, await comeBack(t, service, 'TEST', two), (n) => service.publish('TEST', numbered(n)), 5, ['connected', 'gap: history_evicted'])
    t.ok(await service.metric('history_bytes') <= 65_536)
    t.equal(await service.metric('gaps_total{reason="history_evicted"}'), 1)
  })

  t.test('for its age', async (t) => {
    const service = await Service.start(t, { HISTORY_TTL_S: '1', HEARTBEAT_MS: '100' })
    const stream = await Stream.open(t, service.streamUrl('TEST'))
    await service.publish('TEST', [1, 2].map((n) => numbered(n)))
    const one = await idOf(stream, 1)
    await ends(t, await comeBack(t, service, 'TEST', one), (n) => service.publish('TEST', numbered(n)), 3, ['connected', 2])
    await number(stream, 3)
    while (await service.metric('history_events') > 0) await stream.comments.next()
    t.equal(await service.metric('history_bytes'), 0)

    const late = await comeBack(t, service, 'TEST', one)
    const idle = await comeBack(t, service, 'TEST', stream.lastEventId)
    await service.publish('TEST', numbered(4))
    await Promise.all([late, idle].map((back) => number(back, 4)))
    t.strictSame(story(late), ['connected', 'gap: history_evicted', 4])
    t.equal(gapOf(late).from, Number(one.split('.')[0]) - 5_000)
    t.strictSame(story(idle), ['connected', 4], 'one that was there until just now has missed nothing')
  })
})

/** Resolves once it is ready; meanwhile a stream of it is served. */
async function ready (t: Test, service: Service): Promise<void> {
  const { comments } = await Stream.open(t, service.streamUrl('WARMUP'))
  while (!(await fetch(`${service.url}/readyz`)).ok) await comments.next()
}

const subscribed = async ({ log }: Service) => log.first(({ msg }) => msg === 'subscribed')

t.test('a client that comes to another instance', async (t) => {
  const redis = await TestRedis.start(t)
  const publish = async (merchantId: string, ...numbers: number[]) => {
    for (const n of numbers) await redis.cli('PUBLISH', `merchant:${merchantId}:numbers`, JSON.stringify(numbered(n)))
  }
  const proxy = await Proxy.start(t, redis.port)
  const env = { HEARTBEAT_MS: '200', READY_WARMUP_MS: String(SKEW_MS + 2_500) }
  const one = await Service.start(t, { ...env, REDIS_URL: redis.url })
  await subscribed(one)
  // Before the other one is there.
  const old = await Stream.open(t, one.streamUrl('OLD'))
  await publish('OLD', 1)
  const oldId = await idOf(old, 1)
  const two = await Service.start(t, { ...env, REDIS_URL: `redis://127.0.0.1:${proxy.port}` })
  await Promise.all([ready(t, one), ready(t, two)])

  t.test('gets all that it missed, once, in order', async (t) => {
    const stream = await Stream.open(t, one.streamUrl('EXACT'))
    await publish('EXACT', 1, 2, 3)
    const id = await idOf(stream, 2)
    const there = await comeBack(t, two, 'EXACT', id)
    await ends(t, there, (n) => publish('EXACT', n), 4, ['connected', 3])
    t.not(await idOf(there, 4), await idOf(stream, 4), 'each instance gives an event an id of its own')
    const again = await comeBack(t, one, 'EXACT', await idOf(there, 3), '&topics=numbers')
    await ends(t, again, (n) => publish('EXACT', n), 5, ['connected', 4])
    t.equal(await two.metric('resumes_total{outcome="exact"}'), 1)
  })

  t.test('idle, gets what came since the last heartbeat', async (t) => {
    for (const [merchantId, before] of [['NEVER', []], ['ONCE', [1]]] as const) {
      await publish(merchantId, ...before)
      const stream = await Stream.open(t, one.streamUrl(merchantId))
      await stream.comments.count(2)
      stream.close()
      await publish(merchantId, 2)
      await ends(t, await comeBack(t, two, merchantId, stream.lastEventId), (n) => publish(merchantId, n), 3, ['connected', 2])
    }
    t.equal(await two.metric('resumes_total{outcome="covered"}'), 1)
    t.equal(await two.metric('resumes_total{outcome="exact"}'), 2)
  })

  t.test('that was started after the last event: nothing was missed if a heartbeat says so', async (t) => {
    // Proven later than SKEW_MS after the other one was started.
    await old.comments.next()
    old.close()
    await publish('OLD', 2)
    await ends(t, await comeBack(t, two, 'OLD', old.lastEventId), (n) => publish('OLD', n), 3, ['connected', 2])
    t.equal(await two.metric('resumes_total{outcome="covered"}'), 2)

    const unsure = await comeBack(t, two, 'OLD', oldId)
    await ends(t, unsure, (n) => publish('OLD', n), 4, ['connected', 'gap: unknown_cursor', 2, 3])
    t.equal(gapOf(unsure).from, Number(oldId.split('.')[0]) - SKEW_MS, 'and if none does, it cannot be told')
  })

  t.test('by an event that is yet to come there: it is held until it comes, and gets what follows', async (t) => {
    const stream = await Stream.open(t, one.streamUrl('BEHIND'))
    const there = await Stream.open(t, two.streamUrl('BEHIND'))
    await publish('BEHIND', 1)
    await Promise.all([stream, there].map((each) => number(each, 1)))
    proxy.delay(await redis.addressesOf('subscriber'))
    await publish('BEHIND', 2, 3)
    const id = await idOf(stream, 3)
    const ahead = await comeBack(t, two, 'BEHIND', id)
    await there.comments.count(there.comments.all.length + 2)
    t.strictSame(story(ahead), ['connected'])
    t.equal(ahead.comments.all.length, 0, 'no heartbeat')
    t.equal(ahead.lastEventId, id, 'moves it to where it has not been')
    t.equal(await two.metric('resumes_total{outcome="behind"}'), 0, 'it is not known yet how it begins')
    await publish('BEHIND', 4)
    proxy.release()
    await ends(t, ahead, (n) => publish('BEHIND', n), 5, ['connected', 4])
    await ahead.comments.count(1)
    await number(there, 5)
    t.strictSame(story(there), ['connected', 1, 2, 3, 4, 5])
    t.equal(await two.metric('resumes_total{outcome="behind"}'), 1)
  })

  t.test('by an event that never comes: it is told that, and gets what it was held for', async (t) => {
    const there = await Stream.open(t, two.streamUrl('VAIN'))
    const arrivedMs = Date.now()
    const vain = await comeBack(t, two, 'VAIN', formatCursor({ arrivedMs, hash: 'AAAAAAAA', epoch: epochOf('else', 'VAIN'), caughtUpMs: undefined }))
    await publish('VAIN', 1, 2)
    await number(there, 2)
    t.strictSame(story(vain), ['connected'])
    await number(vain, 2)
    await ends(t, vain, (n) => publish('VAIN', n), 3, ['connected', 'gap: unknown_cursor', 1, 2])
    const { from, to } = gapOf(vain)
    t.equal(from, arrivedMs - SKEW_MS)
    t.ok(to >= arrivedMs + SKEW_MS - 10, 'not before it could not come any more')
    t.ok(to < arrivedMs + SKEW_MS + 3_000, 'nor much later')
    t.equal(await two.metric('resumes_total{outcome="gap"}'), 2)
    t.equal(await two.metric('gaps_total{reason="unknown_cursor"}'), 2)
  })

  await t.test('as the one that it was on is ended, gets what came since it was told so', async (t) => {
    const streams = await Promise.all(['DRAIN', 'SILENT'].map((merchantId) => Stream.open(t, one.streamUrl(merchantId))))
    await publish('DRAIN', 1)
    await number(streams[0]!, 1)
    one.signal('SIGTERM')
    await Promise.all(streams.map(({ closed }) => closed))
    for (const [i, merchantId] of ['DRAIN', 'SILENT'].entries()) {
      const { event, id } = streams[i]!.events.all.at(-1)!
      t.equal(event, 'close')
      t.match(id, /^\d{13}\.(?:[\w-]{8}|-)\.[\w-]{7}\.\d{13}$/)
      t.equal(id, streams[i]!.lastEventId)
      await publish(merchantId, 2)
      await ends(t, await comeBack(t, two, merchantId, id!), (n) => publish(merchantId, n), 3, ['connected', 2])
    }
    t.equal(await two.metric('gaps_total{reason="unknown_cursor"}'), 2, 'and nobody was told of a gap')
  })
})

t.test('Redis is killed, and comes back', async (t) => {
  const redis = await TestRedis.start(t)
  const [service, other] = await Promise.all([1, 2].map(() => Service.start(t, { HEARTBEAT_MS: '200', REDIS_URL: redis.url }))) as [Service, Service]
  await Promise.all([service, other].map(subscribed))
  const publish = async (...numbers: number[]) => {
    for (const n of numbers) await redis.cli('PUBLISH', 'merchant:TEST:numbers', JSON.stringify(numbered(n)))
  }
  const standingMs = Date.now()
  const busy = await Stream.open(t, service.streamUrl('TEST'))
  const picky = await Stream.open(t, service.streamUrl('TEST', '&topics=nothing'))
  const idle = await Stream.open(t, service.streamUrl('IDLE'))
  await publish(1, 2)
  await number(busy, 2)
  const one = await idOf(busy, 1)

  const killedMs = Date.now()
  await redis.kill()
  await Promise.all([service, other].map(({ log }) => log.first(({ msg }) => msg === 'subscription lost')))
  await Promise.all([busy, idle].map(({ comments }) => comments.count(comments.all.length + 2)))
  const caughtUpMs = Number(idle.lastEventId.split('.')[3])
  t.ok(caughtUpMs <= killedMs, 'heartbeats go on, and say no more than was known before')
  const idleId = idle.lastEventId

  const during = await Stream.open(t, service.streamUrl('TEST'))
  const back = await comeBack(t, service, 'TEST', one)
  await number(back, 2)
  t.strictSame(story(back), ['connected', 2], 'what is known is still sent')
  t.equal(await service.metric('gaps_total{reason="redis_outage"}'), 0, 'nobody is told before it is over')

  await redis.start()
  const startedMs = Date.now()
  const streams = [busy, picky, idle, during, back]
  await Promise.all(streams.map(({ events }) => events.first(({ event }) => event === 'gap')))
  await other.log.first(({ msg }) => msg === 'subscribed again')
  await publish(3)
  await number(busy, 3)
  for (const stream of [...streams]) {
    const { from, to, id } = gapOf(stream)
    t.equal(from, gapOf(busy).from)
    t.ok(from <= killedMs && from > standingMs - 5_000, 'since it was last known that nothing was missed')
    t.equal(from, caughtUpMs)
    t.ok(to >= startedMs && to <= Date.now(), 'until now')
    t.match(id, /^\d{13}\.-\.[\w-]{7}\.\d{13}$/, 'of an instance that remembers nothing')
    t.not(id.split('.')[2]!.slice(0, 4), one.split('.')[2]!.slice(0, 4), 'in another epoch')
  }
  t.strictSame(story(busy), ['connected', 1, 2, 'gap: redis_outage', 3])
  await Promise.all([during, back].map((stream) => number(stream, 3)))
  t.strictSame(story(during), ['connected', 'gap: redis_outage', 3])
  t.strictSame(story(back), ['connected', 2, 'gap: redis_outage', 3])
  t.equal(await service.metric('gaps_total{reason="redis_outage"}'), 5)
  t.equal(await service.metric('history_events'), 1)

  t.test('a cursor from before is a gap, on either instance', async (t) => {
    let last = 3
    for (const instance of [service, other]) {
      const busyId = await idOf(busy, 2)
      for (const [merchantId, id] of [['TEST', busyId], ['IDLE', idleId]] as const) {
        const late = await comeBack(t, instance, merchantId, id)
        await late.events.first(({ event }) => event === 'gap')
        t.strictSame(story(late).slice(0, 2), ['connected', 'gap: redis_outage'])
        const { from, to } = gapOf(late)
        const [arrivedMs, , , provenMs = arrivedMs] = id.split('.')
        t.equal(from, Math.max(Number(arrivedMs), Number(provenMs)) - SKEW_MS)
        t.ok(to >= startedMs)
      }
      const late = await comeBack(t, instance, 'TEST', busyId)
      await ends(t, late, (n) => publish(n), ++last, ['connected', 'gap: redis_outage', ...Array.from({ length: last - 3 }, (_, i) => i + 3)])
    }
  })

  t.test('a cursor from after it is good', async (t) => {
    const [three, gap] = [await idOf(busy, 3), gapOf(busy).id]
    const exact = await comeBack(t, service, 'TEST', three)
    await ends(t, exact, (n) => publish(n), 6, ['connected', 4, 5])
    const covered = await comeBack(t, service, 'TEST', gap)
    await ends(t, covered, (n) => publish(n), 7, ['connected', 3, 4, 5, 6])
  })
})

t.test('no gap begins before time does', async (t) => {
  const service = await Service.start(t)
  const back = await comeBack(t, service, 'TEST', formatCursor({ arrivedMs: 0, hash: undefined, epoch: epochOf('else', 'TEST'), caughtUpMs: 0 }))
  await back.events.count(2)
  t.ok(gapOf(back).from >= 0, `${gapOf(back).from}`)
})

t.test('what clients that do not read are owed of a replay is theirs together, not each one a copy', async (t) => {
  const service = await Service.start(t, { MAX_BUFFERED_BYTES: '1024' })
  for (let n = 0; n < 100; n += 20) await service.publish('TEST', Array.from({ length: 20 }, (_, i) => ({ type: 'padding', n: n + i, padding: 'x'.repeat(60_000) })))
  const before = await service.heap()
  for (let i = 0; i < 20; i++) (await Stream.request(t, service.streamUrl('TEST', '&replay=100'))).response.pause()
  await Promise.all([service.log.count(20, ({ msg }) => msg === 'stream opened')])
  const grown = await service.heap() - before
  t.comment(`${(await service.metric('write_buffer_bytes') / 1e6).toFixed(1)} MB are owed, the heap has grown by ${(grown / 1e6).toFixed(1)} MB`)
  t.ok(grown < 12_000_000, `${grown}`)
})
