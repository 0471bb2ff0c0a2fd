import fc from 'fast-check'
import t from 'tap'
import { Orders, type Order } from '../src/client/react/orders.js'

/* An event in brief, with the name that it comes by. */
const about = (more: Record<string, unknown>) => ({ poId: '1', ...more })
const progress = (value: unknown, more: Record<string, unknown> = {}) => ['progress', about({ progress: value, message: `at ${String(value)}`, ...more })] as const
const started = (stage: string, more: Record<string, unknown> = {}) => ['stage', about({ stage, status: 'started', message: `${stage} started`, ...more })] as const
const completed = (stage: string, more: Record<string, unknown> = {}) => ['stage', about({ stage, status: 'completed', message: `${stage} completed`, ...more })] as const
const completion = (stage: string, more: Record<string, unknown> = {}) => ['completion', about({ stage, ...more })] as const
const failure = (stage: string, more: Record<string, unknown> = {}) => ['error', about({ stage, error: 'no paper', ...more })] as const
type Told = readonly [name: string, data: unknown]

const NOW = 1_700_000_000_000

/** The orders after these events, a millisecond apart. */
function after (...events: readonly Told[]): Orders {
  const orders = new Orders()
  events.forEach(([name, data], i) => { orders.receive(name, data, NOW + i) })
  return orders
}

const the = (orders: Orders, poId = '1'): Order => orders.all.get(poId)!
const order = (...events: readonly Told[]): Order => the(after(...events))
const brief = ({ status, progress, stage, error }: Order) => [status, progress, stage, error].filter((each) => each !== undefined).join(' ')

t.test('an order from the first stage to the last', async (t) => {
  const events = [
    started('upload'), progress(0), progress(10), completed('upload'),
    started('ai_parsing'), progress(50, { etaMs: 7_000 }), completed('ai_parsing'), completion('ai_parsing', { lineItems: [1], confidence: 0.9 }),
    started('saving'), progress(99.9), progress(100), completed('saving'), completion('saving'),
  ]
  t.strictSame(events.map((_, i) => brief(order(...events.slice(0, i + 1)))), [
    'active 0 upload', 'active 0 upload', 'active 10 upload', 'active 10 upload',
    'active 10 ai_parsing', 'active 50 ai_parsing', 'active 50 ai_parsing', 'active 50 ai_parsing',
    'active 50 saving', 'active 99.9 saving', 'done 100 saving', 'done 100 saving', 'done 100 saving',
  ])
  t.strictSame(order(...events.slice(0, 6)), {
    poId: '1',
    workflowId: undefined,
    status: 'active',
    progress: 50,
    message: 'at 50',
    stage: 'ai_parsing',
    stages: [{ name: 'upload', completed: true }, { name: 'ai_parsing', completed: false }],
    eta: { ms: 7_000, toldAt: NOW + 5 },
    error: undefined,
    completion: undefined,
    stale: false,
    updatedAt: NOW + 5,
  })
  t.strictSame(order(...events.slice(0, 9)).completion, { poId: '1', stage: 'ai_parsing', lineItems: [1], confidence: 0.9 }, 'the result of a stage is kept')
  t.equal(order(...events).message, 'at 100')
})

t.test('what makes it done, failed, and active again', async (t) => {
  const table: Array<[what: string, is: string, ...events: Told[]]> = [
    ['a completion is the end, whatever the progress', 'done 90 b', progress(90), completion('b')],
    ['even without any', 'done 0 b', started('b'), completed('b'), completion('b')],
    ['but for one that brings the result of a stage', 'active 90 b', progress(90), started('b'), completion('b')],
    ['and not, if progress comes after it', 'active 91 b', progress(90), completion('b'), progress(91)],
    ['an error is the end', 'failed 40 b no paper', progress(40), failure('b')],
    ['of which not all say what it is', 'failed 0 b ', failure('b', { error: 1 })],
    ['it is tried once more when a stage starts', 'active 40 b', progress(40), failure('b'), started('b')],
    ['or with progress', 'active 5 b', progress(40), failure('b'), progress(5)],
    ['or is done after all', 'done 100 b', progress(40), failure('b'), progress(100)],
    ['that a stage of it is completed does not make it go on', 'failed 40 b no paper', progress(40), failure('b'), completed('a')],
    ['nor one that is done', 'done 100', progress(100), completed('a')],
    ['what starts after 100 starts from 0', 'active 0 a', progress(100), started('a')],
    ['even if it failed after that', 'active 0 a', progress(100), failure('b'), started('a')],
    ['an error after the end', 'failed 100 b no paper', progress(100), failure('b')],
  ]
  for (const [what, is, ...events] of table) t.equal(brief(order(...events)), is, what)
})

t.test('what is late changes nothing', async (t) => {
  const at = (timestamp: number) => ({ timestamp })
  t.equal(brief(order(failure('b', at(20)), progress(50, at(19)), started('c', at(19)))), 'failed 0 b no paper')
  t.equal(brief(order(failure('b', at(20)), progress(50, at(20)))), 'active 50 b', 'at the same time it is not late')
  t.equal(brief(order(failure('b', at(20)), progress(50))), 'active 50 b', 'nor if nothing says when it was')
  t.equal(brief(order(failure('b'), progress(50, at(1)))), 'active 50 b')
  t.equal(brief(order(progress(100, at(20)), completion('b', at(22)), progress(50, at(21)))), 'active 50 b', 'the end is when it was first told')
  const orders = after(progress(100, at(20)))
  const before = orders.all
  orders.receive(...progress(50, at(10)), NOW)
  t.equal(orders.all, before)
})

t.test('stages', async (t) => {
  const names = (...events: readonly Told[]) => order(...events).stages.map(({ name, completed }) => completed ? `${name}!` : name)
  t.strictSame(names(started('a'), started('b'), completed('a')), ['a!', 'b'])
  t.equal(order(started('a'), started('b'), completed('b')).stage, 'a', 'another one that is under way is the one that it is in')
  t.strictSame(names(started('a'), completed('a'), started('a')), ['a'], 'one may be done once more')
  t.strictSame(names(failure('a')), ['a'])
  t.strictSame(names(completion('a')), ['a!'])
  t.strictSame(names(started('a'), progress(100), started('b')), ['b'], 'of a run that begins anew none is left')
  t.strictSame(names(...Array.from({ length: 60 }, (_, i) => started(String(i)))), Array.from({ length: 50 }, (_, i) => String(i + 10)), 'the last 50 are known')
})

t.test('a newer run replaces the older', async (t) => {
  const of = (workflowId: string) => ({ workflowId })
  const brief = ({ workflowId, progress, stages, error }: Order) => [workflowId, progress, ...stages.map(({ name }) => name), error].filter((each) => each !== undefined).join(' ')
  const table: Array<[what: string, is: string, ...events: Told[]]> = [
    ['nothing of the older one is left', 'w2 5', started('a', of('w1')), failure('a', of('w1')), progress(5, of('w2'))],
    ['even if it ended later, by its clock', 'w2 5', failure('a', { ...of('w1'), timestamp: 9 }), progress(5, { ...of('w2'), timestamp: 8 })],
    ['what comes of the older one is late', 'w2 5', progress(50, of('w1')), progress(5, of('w2')), progress(60, of('w1')), failure('a', of('w1'))],
    ['until it starts something', 'w1 0 a', progress(50, of('w1')), progress(5, of('w2')), started('a', of('w1')), progress(9, of('w2'))],
    ['what does not say of which run it is, is of this one', 'w1 60 a', started('a', of('w1')), progress(60)],
    ['and what says it first, says it of all', 'w1 70 a', started('a'), progress(60), progress(70, of('w1'))],
    ['of the eight before', 'w9 0', ...Array.from({ length: 10 }, (_, i) => progress(0, of(`w${i}`))), progress(1, of('w1'))],
    ['of no more', 'w0 1', ...Array.from({ length: 10 }, (_, i) => progress(0, of(`w${i}`))), progress(1, of('w0'))],
  ]
  for (const [what, is, ...events] of table) t.equal(brief(order(...events)), is, what)
})

t.test('what is not as it should be is heeded as far as it makes sense', async (t) => {
  const none: Told[] = [
    ['progress', null], ['progress', 'x'], ['progress', { progress: 1 }], ['progress', { poId: '', progress: 1 }], ['progress', { poId: 7, progress: 1 }],
    progress('50'), progress(NaN), progress(-1), progress(Infinity), ['stage', about({ status: 'started' })], ['stage', about({ stage: 'a', status: 'paused' })],
    ['completion', about({})], ['error', about({ stage: '' })], ['invoice', about({ stage: 'a' })],
  ]
  for (const told of none) t.equal(after(told).all.size, 0, JSON.stringify(told))
  t.match(order(progress(150, { message: 3, etaMs: -5, workflowId: 8, timestamp: 'now' })), { status: 'done', progress: 100, message: undefined, workflowId: undefined })
  t.equal(order(progress(5, { etaMs: '9' })).eta, undefined)
  t.equal(order(started('a', { message: '' })).message, undefined)
  t.equal(order(started('a'), completed('a', { message: undefined }), started('b', { message: undefined })).message, 'a started')
  const orders = after(['progress', { poId: '__proto__', progress: 5 }])
  t.strictSame([...orders.all.keys()], ['__proto__'])
})

t.test('after a gap, what was under way may be out of date', async (t) => {
  const orders = after(progress(50), ['progress', { poId: '2', progress: 100 }])
  orders.missed()
  t.strictSame([the(orders).stale, the(orders, '2').stale], [true, false])
  orders.receive(...progress(60), NOW)
  t.equal(the(orders).stale, false)
})

t.test('an order is forgotten until it is heard of again', async (t) => {
  const orders = after(progress(50))
  orders.forget('1')
  t.equal(orders.all.size, 0)
  const before = orders.all
  orders.forget('1')
  t.equal(orders.all, before, 'nothing has changed')
  orders.receive(...progress(60), NOW)
  t.equal(the(orders).progress, 60)
})

t.test('of more than 100 orders, those are forgotten that finished longest ago, then those that were silent longest', async (t) => {
  const of = (poId: number, value: number): Told => ['progress', { poId: String(poId), progress: value }]
  const orders = after(...Array.from({ length: 100 }, (_, i) => of(i, i < 3 ? 100 : 1)), of(0, 100), of(3, 2))
  const forgotten: string[] = []
  for (let i = 100; i < 105; i++) {
    const before = [...orders.all.keys()]
    orders.receive(...of(i, 1), NOW + 1_000 + i)
    forgotten.push(...before.filter((poId) => !orders.all.has(poId)))
    t.equal(orders.all.size, 100)
  }
  t.strictSame(forgotten, ['1', '2', '0', '4', '5'])
})

t.test('whatever comes, in whatever order', async () => {
  const name = fc.constantFrom('progress', 'stage', 'completion', 'error', 'invoice')
  const data = fc.record({
    poId: fc.oneof({ weight: 5, arbitrary: fc.nat(2).map(String) }, { weight: 5, arbitrary: fc.nat(150).map(String) }, fc.constant(undefined)),
    workflowId: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
    timestamp: fc.option(fc.nat(50), { nil: undefined }),
    progress: fc.oneof(fc.double({ min: -5, max: 120 }), fc.constant(100), fc.anything()),
    etaMs: fc.oneof(fc.double(), fc.nat()),
    message: fc.oneof(fc.string(), fc.constant(undefined)),
    stage: fc.constantFrom('upload', 'parsing', ''),
    status: fc.constantFrom('started', 'completed', 'paused'),
    error: fc.oneof(fc.string(), fc.constant(1)),
  })
  fc.assert(fc.property(fc.array(fc.tuple(name, data), { maxLength: 300, size: 'max' }), (events) => {
    const orders = new Orders()
    events.forEach(([name, data], i) => {
      const before = orders.all
      const others = [...before].filter(([poId]) => poId !== data.poId)
      orders.receive(name, data, i)
      const all = orders.all
      if (all.size > 100) throw new Error('too many')
      if (others.filter(([poId, order]) => all.get(poId) !== order).length > (before.size === 100 ? 1 : 0)) throw new Error('orders are not independent')
      const order = all.get(String(data.poId))
      if (order === undefined || order === before.get(order.poId)) return
      const { status, progress, eta, error, stages, stage } = order
      if (!(progress >= 0 && progress <= 100)) throw new Error(`progress ${progress}`)
      if (status === 'active' && progress === 100) throw new Error('active with all done')
      if ((status === 'failed') !== (error !== undefined)) throw new Error(`${status} with the error ${error}`)
      if (status !== 'active' && eta !== undefined) throw new Error('an estimate of what has ended')
      if (eta !== undefined && !(eta.ms >= 0 && eta.ms < Infinity)) throw new Error(`eta ${eta.ms}`)
      if (stage !== undefined && !stages.some(({ name }) => name === stage)) throw new Error('in a stage that it does not have')
    })
  }))
})
