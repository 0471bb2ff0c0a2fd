import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import t from 'tap'
import { History, type Entry, type HistoryBounds } from '../src/fanout/history.js'
import type { Message } from '../src/message.js'
import { TestRedis } from './helpers/redis.js'
import { Service } from './helpers/service.js'

const START = 1_000_000
/** None that matters. */
const WIDE: HistoryBounds = { ttlMs: 1_000_000, maxBytes: 1e9, eventsPerMerchant: 1_000 }
/** However many there are, those younger than this are kept (DESIGN §3). */
const YOUNG_MS = 10_000

const numbered = (n: number, merchantId = 'TEST'): Message => ({ merchantId, topic: 't', name: 't', payload: String(n), supersedes: undefined, timestamp: undefined })

function started (bounds: Partial<HistoryBounds> = {}): History {
  const history = new History({ ...WIDE, ...bounds })
  history.start(START)
  return history
}

const numbersOf = (entries: Iterable<Entry>) => [...entries].map(({ message }) => Number(message.payload))
const held = (history: History, merchantId = 'TEST') => numbersOf(history.of(merchantId))

/** What is counted for a message beside its payload. */
const ENTRY_BYTES = (() => {
  const history = started()
  history.append(numbered(0), 0, START)
  return history.bytes
})()

t.test('what came in is there in the order of arrival, each merchant by itself', async (t) => {
  const history = started()
  const entries = [1, 2, 3, 4, 5, 6].map((n) => history.append(numbered(n, n % 2 === 0 ? 'even' : 'odd'), 10, START + n)!)
  t.strictSame(held(history, 'odd'), [1, 3, 5])
  t.strictSame(held(history, 'even'), [2, 4, 6])
  t.strictSame(held(history, 'nobody'), [])
  t.strictSame(numbersOf(history.after(entries[0]!)), [3, 5])
  t.strictSame(numbersOf(history.after(entries[5]!)), [])
  t.equal(history.newest('odd'), entries[4])
  t.equal(history.newest('nobody'), undefined)
  t.equal(history.events, 6)
  t.equal(history.bytes, 6 * (10 + ENTRY_BYTES))
})

t.test('without a history nothing is held, and it is never complete', async (t) => {
  const history = started({ eventsPerMerchant: 0 })
  t.notOk(history.on)
  t.equal(history.append(numbered(1), 10, START), undefined)
  t.strictSame(held(history), [])
  t.equal(history.events, 0)
  t.notOk(history.isCompleteSince('TEST', START + 1_000))
})

t.test('it is complete since it was started, and for no merchant before that', async (t) => {
  const history = new History(WIDE)
  t.notOk(history.isCompleteSince('TEST', START), 'it was not started yet')
  history.start(START)
  t.ok(history.isCompleteSince('TEST', START))
  t.notOk(history.isCompleteSince('TEST', START - 1))
  history.append(numbered(1), 10, START + 5)
  t.ok(history.isCompleteSince('TEST', START), 'what comes in takes nothing away')
})

t.test('started again, it has forgotten all, and gives out another epoch', async (t) => {
  const history = started()
  const entry = history.append(numbered(1), 10, START + 5)!
  const before = history.cursorAt(entry)
  history.start(START + 100)
  t.strictSame(held(history), [])
  t.equal(history.events, 0)
  t.equal(history.bytes, 0)
  t.notOk(history.isCompleteSince('TEST', START + 99))
  t.ok(history.isCompleteSince('TEST', START + 100))
  t.equal(history.startedAt, START + 100)
  t.equal(history.starts, 2)
  t.not(history.cursorAt(history.append(numbered(1), 10, START + 105)!).split('.')[2], before.split('.')[2])
})

t.test('more of a merchant than are to be kept: the oldest go, but none that is younger than 10 s', async (t) => {
  const history = started({ eventsPerMerchant: 3 })
  for (let n = 0; n < 10; n++) history.append(numbered(n), 10, START + n)
  t.strictSame(held(history), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 'all are young')
  t.ok(history.isCompleteSince('TEST', START))

  history.append(numbered(10), 10, START + 4 + YOUNG_MS)
  t.strictSame(held(history), [4, 5, 6, 7, 8, 9, 10], 'four are older')
  t.notOk(history.isCompleteSince('TEST', START + 3), 'the last one that went arrived then')
  t.ok(history.isCompleteSince('TEST', START + 4))

  history.append(numbered(11), 10, START + 100 + YOUNG_MS)
  t.strictSame(held(history), [9, 10, 11], 'no fewer are kept than may be')
  t.equal(history.events, 3)
  t.equal(history.bytes, 3 * (10 + ENTRY_BYTES))
})

t.test("a merchant's many take nothing from another's few, nor from what is known of it", async (t) => {
  const history = started({ eventsPerMerchant: 3 })
  history.append(numbered(0, 'calm'), 10, START)
  for (let n = 1; n <= 10; n++) history.append(numbered(n, 'busy'), 10, START + n * YOUNG_MS)
  t.strictSame(held(history, 'calm'), [0])
  t.strictSame(held(history, 'busy').slice(-3), [8, 9, 10])
  t.ok(history.isCompleteSince('calm', START))
  t.notOk(history.isCompleteSince('busy', START + YOUNG_MS))
})

t.test('more bytes than there is room for: the oldest of all merchants go, however young', async (t) => {
  const history = started({ maxBytes: 3 * (100 + ENTRY_BYTES) })
  for (const [n, merchantId] of ['a', 'b', 'a', 'b', 'b'].entries()) history.append(numbered(n, merchantId), 100, START + n)
  t.strictSame([held(history, 'a'), held(history, 'b')], [[2], [3, 4]])
  t.strictSame(['a', 'b'].map((merchantId) => history.isCompleteSince(merchantId, START + 1)), [true, false], 'each by its own that went')
  t.notOk(history.isCompleteSince('a', START))
  t.ok(history.isCompleteSince('b', START + 2))
  t.equal(history.bytes, 3 * (100 + ENTRY_BYTES), 'all the room is used')

  history.append(numbered(5, 'c'), 200 + ENTRY_BYTES, START + 5)
  t.strictSame([held(history, 'a'), held(history, 'b'), held(history, 'c')], [[], [4], [5]], 'a big one takes the place of two')
})

t.test('a message bigger than all the room is not held, nor is anything before it; what comes later is', async (t) => {
  const history = started({ maxBytes: 1_000 })
  history.append(numbered(1), 10, START + 1)
  const entry = history.append(numbered(2), 1_001, START + 2)!
  t.strictSame(held(history), [])
  t.equal(history.events, 0)
  t.equal(history.bytes, 0)
  t.match(history.cursorAt(entry), /^1000002\.[\w-]{8}\.[\w-]{6}$/, 'it has a cursor all the same')
  t.notOk(history.isCompleteSince('TEST', START + 2))
  t.ok(history.isCompleteSince('TEST', START + 3))
  history.append(numbered(3), 10, START + 3)
  t.strictSame(held(history), [3])
  t.notOk(history.isCompleteSince('TEST', START + 2))
})

t.test('what is older than the time it is kept for goes, when something comes in or is asked', async (t) => {
  const history = started({ ttlMs: 100 })
  for (const [n, merchantId] of ['a', 'b', 'a'].entries()) history.append(numbered(n, merchantId), 10, START + n)
  history.expire(START + 100)
  t.equal(history.events, 3, 'not before its time')
  history.expire(START + 101)
  t.strictSame([held(history, 'a'), held(history, 'b')], [[2], [1]])
  t.notOk(history.isCompleteSince('a', START))
  t.ok(history.isCompleteSince('a', START + 1))
  t.ok(history.isCompleteSince('b', START))
  history.append(numbered(3, 'c'), 10, START + 500)
  t.equal(history.events, 1)
  t.strictSame(['a', 'b', 'c'].map((merchantId) => history.isCompleteSince(merchantId, START + 2)), [false, true, true], 'it is known of a merchant that has none left, too')
  history.append(numbered(4, 'b'), 10, START + 501)
  t.notOk(history.isCompleteSince('b', START + 1), 'and not forgotten when it has some again')
})

t.test('a clock that goes back does not put the order in doubt', async (t) => {
  const history = started({ ttlMs: 100 })
  const entries = [50, 10, 60].map((ms, n) => history.append(numbered(n), 10, START + ms)!)
  t.strictSame(entries.map(({ arrivedMs }) => arrivedMs), [START + 50, START + 50, START + 60])
  t.strictSame(held(history), [0, 1, 2])
  history.append(numbered(3), 10, START + 155)
  t.strictSame(held(history), [2, 3])
  t.notOk(history.isCompleteSince('TEST', START + 50))
  t.ok(history.isCompleteSince('TEST', START + 51))
})

t.test('it holds what a list of everything says it should, and knows what it lacks', async (t) => {
  interface Known { readonly n: number, readonly merchantId: string, readonly arrivedMs: number, readonly bytes: number }
  const MERCHANTS = ['a', 'b', 'c']
  const appended = fc.record({
    merchantId: fc.constantFrom(...MERCHANTS),
    bytes: fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 0, max: 300 }) }, { weight: 1, arbitrary: fc.constant(10_000) }),
    passedMs: fc.oneof(fc.constant(0), fc.integer({ min: -2_000, max: 4_000 }), fc.integer({ min: 0, max: 40_000 })),
  })
  const action = fc.oneof({ weight: 30, arbitrary: appended }, { weight: 1, arbitrary: fc.constant('start' as const) })
  const bounds = fc.record({ ttlMs: fc.integer({ min: 1_000, max: 100_000 }), maxBytes: fc.integer({ min: 1_000, max: 10_000 }), eventsPerMerchant: fc.integer({ min: 1, max: 5 }) })
  fc.assert(fc.property(bounds, fc.array(action, { maxLength: 80 }), ({ ttlMs, maxBytes, eventsPerMerchant }, actions) => {
    const history = new History({ ttlMs, maxBytes, eventsPerMerchant })
    let [now, startedAt, lastMs, starts] = [START, START, START, 1]
    let all: Known[] = []
    let kept: Known[] = []
    history.start(now)
    const ofMerchant = (known: readonly Known[], merchantId: string) => known.filter((each) => each.merchantId === merchantId)
    const bytes = () => kept.reduce((sum, each) => sum + each.bytes, 0)
    for (const [n, action] of actions.entries()) {
      if (action === 'start') {
        all = []
        kept = []
        startedAt = lastMs = now
        starts++
        history.start(now)
      } else {
        const { merchantId, bytes: payloadBytes, passedMs } = action
        now += passedMs
        lastMs = Math.max(lastMs, now)
        const known = { n, merchantId, arrivedMs: lastMs, bytes: payloadBytes + ENTRY_BYTES }
        all.push(known)
        kept = [...kept.filter(({ arrivedMs }) => arrivedMs >= now - ttlMs), known]
        const own = ofMerchant(kept, merchantId)
        const tooMany = own.slice(0, -eventsPerMerchant).filter(({ arrivedMs }) => arrivedMs < lastMs - YOUNG_MS)
        kept = kept.filter((each) => !tooMany.includes(each))
        while (bytes() > maxBytes) kept.shift()
        history.append(numbered(n, merchantId), payloadBytes, now)
      }
      if (history.events !== kept.length || history.bytes !== bytes()) return false
      for (const merchantId of MERCHANTS) {
        const own = ofMerchant(kept, merchantId)
        if (!isDeepStrictEqual(held(history, merchantId), own.map(({ n }) => n))) return false
        if (history.newest(merchantId)?.arrivedMs !== own.at(-1)?.arrivedMs) return false
        const times = [startedAt - 1, startedAt, ...ofMerchant(all, merchantId).flatMap(({ arrivedMs }) => [arrivedMs, arrivedMs + 1])]
        for (const ms of times) {
          const complete = ms >= startedAt && ofMerchant(all, merchantId).every((each) => each.arrivedMs < ms || kept.includes(each))
          const said = history.isCompleteSince(merchantId, ms)
          if (said && !complete) return false
          // What went before it was started again may make it more cautious, if the clock went back meanwhile.
          if (complete && !said && starts === 1) return false
        }
      }
    }
    return true
  }), { numRuns: 3_000 })
  t.pass()
})

/** Messages of 110 bytes and more, by which merchant and of which text. */
const HEAPS: Array<[name: string, merchantOf: (n: number) => string, text: string]> = [
  ['few merchants', (n) => `m${n % 100}`, 'half way'],
  ['as many merchants as messages', (n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`, 'half way'],
  ['long messages', (n) => `m${n % 100}`, 'x'.repeat(1_000)],
]
for (const [name, merchantOf, text] of HEAPS) {
  t.test(`what it says that it takes is about what the heap says: ${name}`, async (t) => {
    const redis = await TestRedis.start(t)
    const service = await Service.start(t, { REDIS_URL: redis.url, HISTORY_EVENTS_PER_MERCHANT: '10000' })
    await service.log.first(({ msg }) => msg === 'subscribed')
    const publisher = new Redis(redis.url)
    t.teardown(() => { publisher.disconnect() })
    const publish = async (from: number, to: number) => {
      const pipeline = publisher.pipeline()
      for (let n = from; n < to; n++) {
        pipeline.publish(`merchant:${merchantOf(n)}:progress`, JSON.stringify({ type: 'progress', poId: `po-${n}`, workflowId: `wf-${n}`, progress: n % 101, message: text, timestamp: n }))
      }
      await pipeline.exec()
      while (await service.metric('history_events') < to) { /* Each is an answer to wait for. */ }
    }
    await publish(0, 1_000)
    const [heap, bytes] = [await service.heap(), await service.metric('history_bytes')]
    await publish(1_000, 21_000)
    const [grown, counted] = [await service.heap() - heap, await service.metric('history_bytes') - bytes]
    t.comment(`the heap has grown by ${(grown / counted).toFixed(2)} of what is counted`)
    t.ok(grown > 0.6 * counted && grown < 1.3 * counted, `${grown} of ${counted}`)
  })
}
