import { isDeepStrictEqual } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import t from 'tap'
import { History, type Entry, type HistoryBounds } from '../src/fanout/history.js'
import type { Message } from '../src/message.js'

const START = 1_000_000
/** None that matters. */
const WIDE: HistoryBounds = { ttlMs: 1_000_000, maxBytes: 1e9, eventsPerMerchant: 1_000 }
/** However many there are, those younger than this are kept (DESIGN §3). */
const YOUNG_MS = 10_000

const messageOf = (merchantId: string): Message => ({ merchantId, topic: 't', name: 't', payload: '', supersedes: undefined, timestamp: undefined })

function started (bounds: Partial<HistoryBounds> = {}): History {
  const history = new History({ ...WIDE, ...bounds })
  history.start(START)
  return history
}

/** A payload of so many bytes, 5 at least, that is a number. */
const payload = (n: number, bytes = 10) => Buffer.from(String(n).padStart(bytes, '0'))
const append = (history: History, n: number, at: number, merchantId = 'TEST', bytes = 10) => history.append(messageOf(merchantId), payload(n, bytes), at)
const numbersOf = (entries: Iterable<Entry>) => [...entries].map(({ message }) => Number(message.payload))
const held = (history: History, merchantId = 'TEST') => numbersOf(history.of(merchantId))

t.test('what came in is there in the order of arrival, each merchant by itself', async (t) => {
  const history = started()
  const arrivals = [1, 2, 3, 4, 5, 6].map((n) => append(history, n, START + n, n % 2 === 0 ? 'even' : 'odd'))
  t.strictSame(arrivals, [1, 2, 3, 4, 5, 6].map((n) => START + n))
  t.strictSame(held(history, 'odd'), [1, 3, 5])
  t.strictSame(held(history, 'even'), [2, 4, 6])
  t.strictSame(held(history, 'nobody'), [])
  const [first, , last] = [...history.of('odd')]
  t.strictSame(numbersOf([history.next(first!)!]), [3])
  t.equal(history.next(last!), undefined)
  t.strictSame([first, last].map((entry) => history.holds(entry!)), [true, true])
  t.equal(history.find('odd', START + 2, START + 4)?.arrivedMs, START + 3)
  t.equal(history.find('odd', START + 2, START + 4, last!.digest), undefined)
  t.equal(history.find('odd', START, START + 9, last!.digest)?.serial, last!.serial)
  t.match(history.newest('odd'), { merchantId: 'odd', arrivedMs: START + 5, topic: 't', message: { ...messageOf('odd'), payload: '0000000005' } })
  t.equal(history.newest('nobody'), undefined)
  t.equal(history.events, 6)
})

t.test('without a history nothing is held, and it is never complete', async (t) => {
  const history = started({ eventsPerMerchant: 0 })
  t.notOk(history.on)
  t.equal(append(history, 1, START), undefined)
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
  append(history, 1, START + 5)
  t.ok(history.isCompleteSince('TEST', START), 'what comes in takes nothing away')
})

t.test('started again, it has forgotten all, and gives out another epoch', async (t) => {
  const history = started()
  append(history, 1, START + 5)
  const before = history.cursorOf(history.newest('TEST')!)
  history.start(START + 100)
  t.strictSame(held(history), [])
  t.equal(history.events, 0)
  t.equal(history.bytes, 0)
  t.notOk(history.isCompleteSince('TEST', START + 99))
  t.ok(history.isCompleteSince('TEST', START + 100))
  t.equal(history.startedAt, START + 100)
  append(history, 1, START + 105)
  const [arrivedMs, digest, epoch] = history.cursorOf(history.newest('TEST')!).split('.')
  t.strictSame([arrivedMs, digest], [String(START + 105), before.split('.')[1]])
  t.not(epoch, before.split('.')[2])
})

t.test('more of a merchant than are to be kept: the oldest go, but none that is younger than 10 s', async (t) => {
  const history = started({ eventsPerMerchant: 3 })
  for (let n = 0; n < 10; n++) append(history, n, START + n)
  t.strictSame(held(history), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 'all are young')
  t.ok(history.isCompleteSince('TEST', START))

  append(history, 10, START + 4 + YOUNG_MS)
  t.strictSame(held(history), [4, 5, 6, 7, 8, 9, 10], 'four are older')
  t.notOk(history.isCompleteSince('TEST', START + 3), 'the last one that went arrived then')
  t.ok(history.isCompleteSince('TEST', START + 4))

  append(history, 11, START + 100 + YOUNG_MS)
  t.strictSame(held(history), [9, 10, 11], 'no fewer are kept than may be')
  t.equal(history.events, 3)
})

t.test("a merchant's many take nothing from another's few, nor from what is known of it", async (t) => {
  const history = started({ eventsPerMerchant: 3 })
  append(history, 0, START, 'calm')
  for (let n = 1; n <= 10; n++) append(history, n, START + n * YOUNG_MS, 'busy')
  t.strictSame(held(history, 'calm'), [0])
  t.strictSame(held(history, 'busy').slice(-3), [8, 9, 10])
  t.ok(history.isCompleteSince('calm', START))
  t.notOk(history.isCompleteSince('busy', START + YOUNG_MS))
})

t.test('more bytes than there is room for: the oldest of all merchants go, however young', async (t) => {
  const history = started({ maxBytes: 100_000 })
  append(history, 0, START, 'quiet')
  for (let n = 1; n <= 1_000; n++) append(history, n, START + n, `m${n % 2}`, 100)
  t.ok(history.bytes > 90_000 && history.bytes <= 100_000, `${history.bytes} bytes: the room is used, and no more`)
  t.strictSame(held(history, 'quiet'), [])
  const [odd, even] = [held(history, 'm1'), held(history, 'm0')]
  t.ok(odd.length > 100 && Math.abs(odd.length - even.length) <= 1)
  t.strictSame([odd.at(-1), even.at(-1)], [999, 1_000])
  t.strictSame(odd, Array.from(odd, (_, i) => odd[0]! + 2 * i), 'without a hole')
  t.notOk(history.isCompleteSince('m1', START + odd[0]! - 2))
  t.ok(history.isCompleteSince('m1', START + odd[0]! - 1))
  t.notOk(history.isCompleteSince('quiet', START))
  t.ok(history.isCompleteSince('quiet', START + 1), 'of the quiet one nothing else went')
})

t.test('those whose messages go for their number leave the room to others', async (t) => {
  const history = started({ maxBytes: 100_000, eventsPerMerchant: 5 })
  for (let n = 0; n < 50; n++) append(history, n, START, `quiet${n}`, 100)
  for (let n = 0; n < 10_000; n++) append(history, n, START + 5_000 + n * 50, 'busy', 100)
  for (let n = 0; n < 50; n++) t.strictSame(held(history, `quiet${n}`), [n])
  t.strictSame(held(history, 'busy').at(-1), 9_999)
})

t.test('a message bigger than all the room is not held, nor is anything before it; what comes later is', async (t) => {
  const history = started({ maxBytes: 10_000 })
  append(history, 1, START + 1)
  t.equal(append(history, 2, START + 2, 'TEST', 10_001), START + 2, 'it has arrived all the same')
  t.strictSame(held(history), [])
  t.equal(history.events, 0)
  t.ok(history.bytes <= 10_000)
  t.notOk(history.isCompleteSince('TEST', START + 2))
  t.ok(history.isCompleteSince('TEST', START + 3))
  append(history, 3, START + 3)
  t.strictSame(held(history), [3])
  t.notOk(history.isCompleteSince('TEST', START + 2))
})

t.test('what is older than the time it is kept for goes, when something comes in or is asked', async (t) => {
  const history = started({ ttlMs: 100 })
  for (const [n, merchantId] of ['a', 'b', 'a'].entries()) append(history, n, START + n, merchantId)
  history.expire(START + 100)
  t.equal(history.events, 3, 'not before its time')
  history.expire(START + 101)
  t.strictSame([held(history, 'a'), held(history, 'b')], [[2], [1]])
  t.notOk(history.isCompleteSince('a', START))
  t.ok(history.isCompleteSince('a', START + 1))
  t.ok(history.isCompleteSince('b', START))
  append(history, 3, START + 500, 'c')
  t.equal(history.events, 1)
  t.strictSame(['a', 'b', 'c'].map((merchantId) => history.isCompleteSince(merchantId, START + 2)), [false, true, true], 'it is known of a merchant that has none left, too')
  append(history, 4, START + 501, 'b')
  t.notOk(history.isCompleteSince('b', START + 1), 'and not forgotten when it has some again')
})

t.test('a clock that goes back does not put the order in doubt', async (t) => {
  const history = started({ ttlMs: 100 })
  const arrivals = [50, 10, 60].map((ms, n) => append(history, n, START + ms))
  t.strictSame(arrivals, [START + 50, START + 50, START + 60])
  t.strictSame(held(history), [0, 1, 2])
  append(history, 3, START + 155)
  t.strictSame(held(history), [2, 3])
  t.notOk(history.isCompleteSince('TEST', START + 50))
  t.ok(history.isCompleteSince('TEST', START + 51))
})

interface Known {
  readonly n: number
  readonly merchantId: string
  readonly arrivedMs: number
}

const MERCHANTS = ['a', 'b', 'c']
const appended = fc.record({
  merchantId: fc.constantFrom(...MERCHANTS),
  bytes: fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 5, max: 300 }) }, { weight: 1, arbitrary: fc.constant(5_000) }),
  passedMs: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: -2_000, max: 4_000 }), fc.integer({ min: 0, max: 40_000 })),
})
const actions = fc.array(fc.oneof({ weight: 100, arbitrary: appended }, { weight: 1, arbitrary: fc.constant('start' as const) }), { maxLength: 300, size: 'max' })

/** Does all of this, and says after each what had come in since the last start, and whether the clock may have gone back at one. */
function * lived (history: History, todo: Iterable<typeof actions extends fc.Arbitrary<Array<infer A>> ? A : never>): Generator<{ all: readonly Known[], now: number, startedAt: number, restarted: boolean }> {
  let [now, startedAt, lastMs, restarted] = [START, START, START, false]
  let all: Known[] = []
  history.start(now)
  for (const [n, action] of [...todo].entries()) {
    if (action === 'start') {
      all = []
      startedAt = lastMs = now
      restarted = true
      history.start(now)
    } else {
      now += action.passedMs
      lastMs = Math.max(lastMs, now)
      all.push({ n, merchantId: action.merchantId, arrivedMs: lastMs })
      append(history, n, now, action.merchantId, action.bytes)
    }
    yield { all, now, startedAt, restarted }
  }
}

const of = (known: readonly Known[], merchantId: string) => known.filter((each) => each.merchantId === merchantId)

/** It says that it is complete since a time if it is, and only then. */
function knowsWhatItLacks (history: History, { all, startedAt, restarted }: { all: readonly Known[], startedAt: number, restarted: boolean }): boolean {
  return MERCHANTS.every((merchantId) => {
    const own = of(all, merchantId)
    const kept = new Set(held(history, merchantId))
    return [startedAt - 1, startedAt, ...own.flatMap(({ arrivedMs }) => [arrivedMs, arrivedMs + 1])].every((ms) => {
      const complete = ms >= startedAt && own.every(({ n, arrivedMs }) => arrivedMs < ms || kept.has(n))
      // What went before it was started again may make it more cautious, if the clock went back meanwhile.
      return history.isCompleteSince(merchantId, ms) === complete || (complete && restarted)
    })
  })
}

t.test('with room enough it holds what a list of everything says it should, and knows what it lacks', async (t) => {
  const bounds = fc.record({ ttlMs: fc.integer({ min: 1_000, max: 100_000 }), maxBytes: fc.constant(1e9), eventsPerMerchant: fc.integer({ min: 1, max: 5 }) })
  fc.assert(fc.property(bounds, actions, (bounds, actions) => {
    const history = new History(bounds)
    let [kept, before] = [[] as Known[], [] as readonly Known[]]
    for (const moment of lived(history, actions)) {
      const { all, now } = moment
      history.expire(now) // A message that comes in takes out no more than some of what is too old.
      if (all !== before) kept = []
      before = all
      const last = all.at(-1)
      if (last !== undefined && !kept.includes(last)) {
        kept = [...kept.filter(({ arrivedMs }) => arrivedMs >= now - bounds.ttlMs), last]
        const tooMany = of(kept, last.merchantId).slice(0, -bounds.eventsPerMerchant).filter(({ arrivedMs }) => arrivedMs < last.arrivedMs - YOUNG_MS)
        kept = kept.filter((each) => !tooMany.includes(each))
      }
      if (history.events !== kept.length || !knowsWhatItLacks(history, moment)) return false
      for (const merchantId of MERCHANTS) {
        if (!isDeepStrictEqual(held(history, merchantId), of(kept, merchantId).map(({ n }) => n))) return false
      }
    }
    return true
  }), { numRuns: 300 })
  t.pass()
})

t.test('with little room it keeps to it, has no holes, and knows what it lacks', async (t) => {
  const bounds = fc.record({ ttlMs: fc.constantFrom(1_000, 100_000, 1e9), maxBytes: fc.integer({ min: 1_000, max: 50_000 }), eventsPerMerchant: fc.constantFrom(1, 5, 1_000) })
  fc.assert(fc.property(bounds, actions, (bounds, actions) => {
    const history = new History(bounds)
    for (const moment of lived(history, actions)) {
      if (history.bytes > bounds.maxBytes || !knowsWhatItLacks(history, moment)) return false
      for (const merchantId of MERCHANTS) {
        const kept = held(history, merchantId)
        const own = of(moment.all, merchantId).map(({ n }) => n)
        if (!isDeepStrictEqual(kept, own.slice(own.length - kept.length))) return false
      }
    }
    return true
  }), { numRuns: 300 })
  t.pass()
})

/** Messages by which merchant, and of how many bytes. */
const MEMORY: Array<[name: string, merchantOf: (n: number) => string, bytes: number]> = [
  ['few merchants', (n) => `m${n % 100}`, 110],
  ['as many merchants as messages', (n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`, 110],
  ['long messages', (n) => `m${n % 100}`, 1_000],
]
for (const [name, merchantOf, bytes] of MEMORY) {
  t.test(`what it says that it takes is about what the process takes: ${name}`, async (t) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    // Buffers that earlier tests have left are freed some time after they are found to be garbage.
    const taken = async () => {
      for (let least = Infinity; ;) {
        collect()
        await new Promise(setImmediate)
        const { heapUsed, arrayBuffers } = process.memoryUsage()
        if (heapUsed + arrayBuffers > least - 100_000) return least
        least = heapUsed + arrayBuffers
      }
    }
    const history = started({ eventsPerMerchant: 1_000_000 })
    for (let n = 0; n < 1_000; n++) append(history, n, START, merchantOf(n), bytes)
    const [before, counted] = [await taken(), history.bytes]
    for (let n = 1_000; n < 101_000; n++) append(history, n, START, merchantOf(n), bytes)
    const [grown, more] = [await taken() - before, history.bytes - counted]
    t.comment(`${(grown / 100_000).toFixed(0)} bytes each, ${(grown / more).toFixed(2)} of what is counted`)
    t.ok(grown > 0.6 * more && grown < 1.2 * more, `${grown} of ${more}`)
    t.equal(history.events, 101_000)
  })
}
