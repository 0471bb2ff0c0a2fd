import t from 'tap'
import { audit, type Owed } from './audit.js'
import { Lane, type Outcome } from './lane.js'
import { Ledger } from './ledger.js'

/** What became of events of one publisher, the first being number 0, which came in this order to one client. */
interface Story {
  readonly outcomes: readonly Outcome[]
  readonly came: readonly number[]
  readonly overtakes?: boolean
  readonly gap?: { readonly reason?: string, readonly fromMs?: number, readonly toMs?: number }
  readonly owed?: Owed
}

const NONE = { lost: 0, told: 0, silent: 0, doubled: 0, late: 0, gaps: 0, clientsTold: 0 }

/** @param gap relative to when all events were published. */
function told ({ outcomes, came, overtakes = false, gap, owed = 'all' }: Story) {
  const lane = new Lane('one', 'm1', overtakes)
  const ledger = new Ledger('m1/1', [lane])
  for (const [number, outcome] of outcomes.entries()) {
    lane.announce(number)
    lane.settle(number, outcome)
  }
  if (gap !== undefined) ledger.told({ reason: gap.reason ?? 'redis_outage', from: lane.timeOf(0) + (gap.fromMs ?? -1_000), to: lane.timeOf(0) + (gap.toMs ?? 1_000), id: 'g' })
  for (const number of came) ledger.received('one', number, `id-${number}`)
  return audit([ledger], new Map([[lane, 0]]), new Map([[lane, outcomes.length]]), owed)
}

const P = 'published'
const U = 'unknown'

t.test('all that was published came', async (t) => {
  t.match(told({ outcomes: [P, P, P], came: [0, 1, 2] }), { ...NONE, published: 3, expected: 3, received: 3, findings: [] })
})

t.test('what was lost is found, with the ids beside it', async (t) => {
  const { findings, ...sums } = told({ outcomes: [P, P, P, P], came: [0, 3] })
  t.match(sums, { ...NONE, expected: 4, received: 2, lost: 2, silent: 2 })
  t.match(findings, [/^m1\/1 lost one 1–2, .* in silence; id of 0: id-0, of 3: id-3$/])
})

t.test('so it is where a gap is allowed and none was told, or one of another time', async (t) => {
  for (const gap of [undefined, { fromMs: -2_000, toMs: -1_000 }, { fromMs: 1_000, toMs: 2_000 }]) {
    const { findings, ...sums } = told({ outcomes: [P, P, P], came: [0, 2], owed: 'all or a gap', ...(gap !== undefined && { gap }) })
    t.match(sums, { lost: 1, told: 0, silent: 1 })
    t.match(findings[0], /^m1\/1 lost one 1, .* in silence/)
  }
})

t.test('what was lost in a gap is no finding where a gap is allowed, and one where it is not', async (t) => {
  const story: Story = { outcomes: [P, P, P], came: [0, 2], gap: {} }
  t.match(told({ ...story, owed: 'all or a gap' }), { ...NONE, lost: 1, told: 1, gaps: 1, clientsTold: 1, widestMs: 2_000, findings: [] })
  const { findings } = told(story)
  t.match(findings, [/^m1\/1 lost one 1, .* within a gap/, /^m1\/1 was told of a gap for no good reason/, /^ {4}m1\/1 at .* told of a gap/])
})

t.test('a gap of another reason is a finding, and so is one that is none', async (t) => {
  t.match(told({ outcomes: [P], came: [0], gap: { reason: 'history_evicted' }, owed: 'all or a gap' }).findings, [/for no good reason/])
  t.match(told({ outcomes: [P], came: [0], gap: { fromMs: 1, toMs: 0 }, owed: 'all or a gap' }).findings, [/a gap that is none/])
  t.match(told({ outcomes: [P], came: [0], gap: { toMs: NaN }, owed: 'all or a gap' }).findings, [/a gap that is none/])
})

t.test('what came twice or out of order is found, gaps or not', async (t) => {
  for (const owed of ['all', 'all or a gap'] as const) {
    t.match(told({ outcomes: [P, P, P], came: [0, 1, 1, 2, 0], owed }), { ...NONE, doubled: 2, received: 3, findings: [/got one 1 .* again/, /got one 0 .* again/] })
    t.match(told({ outcomes: [P, P, P], came: [0, 2, 1], owed }), { ...NONE, late: 1, received: 3, findings: [/got one 1 .* out of order/] })
  }
})

t.test('what nobody acknowledged may come or not', async (t) => {
  for (const came of [[0, 1, 2], [0, 2]]) t.match(told({ outcomes: [P, U, P], came }), { ...NONE, published: 2, unknown: 1, expected: 2, received: 2, findings: [] })
})

t.test('it may come late only where it may have been overtaken, and never twice', async (t) => {
  const story: Story = { outcomes: [P, U, P], came: [0, 2, 1], owed: 'all or a gap' }
  t.match(told({ ...story, overtakes: true }), { ...NONE, findings: [] })
  t.match(told(story), { late: 1 })
  t.match(told({ ...story, overtakes: true, owed: 'all' }), { late: 1 })
  t.match(told({ ...story, overtakes: true, came: [0, 1, 2, 1] }), { doubled: 1 })
  t.match(told({ ...story, overtakes: true, came: [0, 2], outcomes: [P, P, U] }), { lost: 1 })
})

t.test('what was never published is found, and what has no id', async (t) => {
  t.match(told({ outcomes: [P], came: [0, 7] }).findings, [/got one 7, id id-7, which nobody has published/])
  const lane = new Lane('one', 'm1', false)
  const ledger = new Ledger('m1/1', [lane])
  for (const number of [0, 1]) {
    lane.announce(number)
    lane.settle(number, P)
    ledger.received('one', number, '')
  }
  t.match(audit([ledger], new Map([[lane, 0]]), new Map([[lane, 2]]), 'all').findings, ['m1/1 got events of one without an id (2 times)'])
})

t.test('each time has its own account', async (t) => {
  const lane = new Lane('one', 'm1', false)
  const ledger = new Ledger('m1/1', [lane])
  const publish = (number: number, ...came: number[]) => {
    lane.announce(number)
    lane.settle(number, P)
    for (const each of came) ledger.received('one', each, `id-${each}`)
  }
  const until = (mark: number) => new Map([[lane, mark]])
  publish(0)
  publish(1, 1)
  t.match(audit([ledger], until(0), until(1), 'all'), { expected: 1, lost: 1 })
  publish(2, 2)
  t.match(audit([ledger], until(1), until(3), 'all'), { ...NONE, expected: 2, received: 2, findings: [] })
  publish(3, 1, 3)
  t.match(audit([ledger], until(3), until(4), 'all'), { expected: 1, doubled: 1 })
})

t.test('a client is past a mark when something as new has come', async (t) => {
  const lane = new Lane('one', 'm1', false)
  const ledger = new Ledger('m1/1', [lane])
  for (const number of [0, 1, 2]) lane.announce(number)
  ledger.received('one', 0, 'a')
  await ledger.past(lane, 0)
  let past = false
  const passing = ledger.past(lane, 1).then(() => { past = true })
  await Promise.resolve()
  t.notOk(past)
  ledger.received('one', 2, 'c')
  await passing
})
