import { setImmediate } from 'node:timers/promises'
import fakeTimers from '@sinonjs/fake-timers'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { MerchantPublisher, type CommonOptions, type DurationStore, type PublishError, type StageDeclaration, type StageRun, type TypicalDuration } from '../src/publisher/index.js'

type Event = Record<string, unknown> & { type: string }

const STAGES = [{ name: 'upload', weight: 1 }, { name: 'ai_parsing', weight: 8, items: 40 }, { name: 'saving', weight: 1 }] as const

/** A publisher whose events are kept as they are sent, in a time that only `clock` moves. */
function setup (t: Test, options: CommonOptions = {}) {
  const clock = fakeTimers.install({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
  t.teardown(() => { clock.uninstall() })
  const sent: Event[] = []
  const errors: PublishError[] = []
  const publisher = new MerchantPublisher({
    redis: { status: 'ready', publish: async (_channel, payload) => { sent.push(JSON.parse(payload) as Event) } },
    onError: (error) => { errors.push(error) },
    ...options,
  })
  const order = (stages: readonly StageDeclaration[] = STAGES, more: { maxPerSecond?: number, durations?: DurationStore, describeError?: (error: unknown) => string } = {}) =>
    publisher.workflow({ merchantId: 'TEST', poId: '1', workflowId: 'w', stages, ...more })
  /** What was sent since it was last asked. */
  const news = async () => {
    await publisher.flush()
    return sent.splice(0)
  }
  return { clock, publisher, sent, errors, order, news }
}

/** An event in a word. */
const brief = ({ type, stage, status, progress, error, message }: Event) => {
  switch (type) {
    case 'progress': return `${progress as number} ${message as string}`
    case 'stage': return `${stage as string} ${status as string}`
    case 'completion': return `${stage as string} !`
    default: return `${stage as string} ✗ ${error as string}`
  }
}

t.test('from the first stage to the last', async (t) => {
  const { order, news, clock, errors } = setup(t)
  const workflow = order()
  t.equal(workflow.progress, 0)
  t.strictSame(await workflow.stage('upload').start({ message: 'Uploading' }), { ok: true })
  t.match(await news(), [{ type: 'stage', stage: 'upload', status: 'started', message: 'Uploading', poId: '1', workflowId: 'w', timestamp: Number }])
  t.strictSame(await workflow.stage('upload').complete(), { ok: true })
  t.strictSame((await news()).map(brief), ['10 upload completed', 'upload completed'])
  const parsing = workflow.stage('ai_parsing')
  await parsing.start()
  clock.tick(1_000)
  parsing.advance()
  t.strictSame((await news()).map(brief), ['ai_parsing started', '12 ai_parsing: 1 of 40'])
  clock.tick(1_000)
  parsing.report(0.5, 'half of the lines')
  t.strictSame((await news()).map(brief), ['50 half of the lines'])
  clock.tick(1_000)
  await parsing.complete({ message: 'Parsed', lineItems: [{ sku: 'A' }], confidence: 0.9 })
  t.match(await news(), [
    { type: 'progress', progress: 90, message: 'Parsed' },
    { type: 'stage', stage: 'ai_parsing', status: 'completed', message: 'Parsed' },
    { type: 'completion', stage: 'ai_parsing', poId: '1', workflowId: 'w', lineItems: [{ sku: 'A' }], confidence: 0.9 },
  ])
  t.strictSame(await workflow.stage('saving').complete(), { ok: true })
  const last = await news()
  t.strictSame(last.map(brief), ['saving started', '100 saving completed', 'saving completed', 'saving !'])
  t.match(last[1], { etaMs: 0 })
  t.equal(workflow.progress, 100)
  t.strictSame(errors, [])
})

t.test('progress events are so many per second at most, and the latest is never kept for longer', async (t) => {
  const { order, news, clock, sent } = setup(t)
  const workflow = order([{ name: 'a', weight: 1, items: 10_000 }, { name: 'b', weight: 1 }])
  const stage = workflow.stage('a')
  await stage.start()
  await news()
  for (let n = 0; n < 1_000; n++) {
    stage.advance()
    await clock.tickAsync(3)
  }
  const seconds = 3
  t.ok(sent.length >= seconds * 4 && sent.length <= seconds * 4 + 1, `${sent.length} in ${seconds} s`)
  await clock.tickAsync(250)
  t.equal(sent.at(-1)!.message, 'a: 1000 of 10000', 'the latest comes without more of it')
  sent.splice(0)
  stage.advance()
  stage.advance()
  stage.advance()
  await stage.complete()
  await workflow.stage('b').start()
  t.strictSame(sent.map(brief), ['5 a: 1001 of 10000', '50 a completed', 'a completed', 'b started'])
  sent.splice(0)
  workflow.stage('b').report(0.1, 'now')
  workflow.stage('b').report(0.2, 'held back')
  await workflow.fail(new Error('no'))
  await clock.tickAsync(10_000)
  t.strictSame(sent.map(brief), ['60 held back', 'b ✗ no'], 'before the error, and nothing after it')
})

t.test('another pace', async (t) => {
  const { order, clock, sent } = setup(t)
  const stage = order(STAGES, { maxPerSecond: 1 }).stage('ai_parsing')
  stage.advance()
  stage.advance()
  await clock.tickAsync(999)
  t.equal(sent.filter(({ type }) => type === 'progress').length, 1)
  await clock.tickAsync(1)
  t.equal(sent.filter(({ type }) => type === 'progress').length, 2)
})

t.test('flush sends what is held back', async (t) => {
  const { order, news } = setup(t)
  const stage = order().stage('ai_parsing')
  stage.advance()
  stage.advance()
  t.strictSame((await news()).map(brief), ['ai_parsing started', '2 ai_parsing: 1 of 40', '4 ai_parsing: 2 of 40'])
})

t.test('so does close', async (t) => {
  const { order, publisher, sent } = setup(t)
  const stage = order().stage('ai_parsing')
  stage.advance()
  stage.advance()
  await publisher.close()
  t.strictSame(sent.map(brief), ['ai_parsing started', '2 ai_parsing: 1 of 40', '4 ai_parsing: 2 of 40'])
})

t.test('track', async (t) => {
  t.test('starts, completes and gives back', async (t) => {
    const { order, news, errors } = setup(t)
    const workflow = order()
    t.equal(await workflow.track('upload', async (stage) => {
      t.equal(stage.name, 'upload')
      return 'file'
    }), 'file')
    t.strictSame((await news()).map(brief), ['upload started', '10 upload completed', 'upload completed'])
    await workflow.track('ai_parsing', async (stage) => stage.complete({ confidence: 1 }))
    t.strictSame((await news()).map(brief), ['ai_parsing started', '90 ai_parsing completed', 'ai_parsing completed', 'ai_parsing !'], 'once')
    t.strictSame(errors, [])
  })

  t.test('fails and throws again', async (t) => {
    const { order, news, errors } = setup(t)
    const workflow = order()
    const error = new Error('unreadable')
    await t.rejects(workflow.track('ai_parsing', async () => { throw error }), error)
    t.strictSame((await news()).map(brief), ['ai_parsing started', 'ai_parsing ✗ unreadable'])
    t.strictSame(errors, [])
  })

  t.test('one that fails ends those beside it in silence', async (t) => {
    const { order, news, errors } = setup(t)
    const workflow = order()
    let finish: () => void
    const beside = workflow.track('upload', async () => new Promise<void>((resolve) => { finish = resolve }))
    const beside2 = t.rejects(workflow.track('saving', async () => { await beside; throw new Error('late') }), { message: 'late' })
    await t.rejects(workflow.track('ai_parsing', async (stage) => { await stage.fail('by itself'); throw new Error('unreadable') }))
    finish!()
    await Promise.all([beside, beside2])
    t.strictSame((await news()).map(brief), ['upload started', 'saving started', 'ai_parsing started', 'ai_parsing ✗ by itself'])
    t.strictSame(errors, [])
  })

  t.test('does not wait for the news of it, and rejects with what the work threw only', async (t) => {
    const { order } = setup(t, { strict: true, bridgeMs: 0, redis: { status: 'end', publish: async () => {} } } as never)
    const work = new Error('work')
    await t.rejects(order().track('upload', async () => { throw work }), work)
    let worked = false
    await order().track('upload', async () => { worked = true })
    t.ok(worked)
  })
})

t.test('stages side by side, in any order', async (t) => {
  const { order, news } = setup(t)
  const workflow = order()
  await workflow.stage('saving').start()
  await workflow.stage('upload').start()
  await workflow.stage('saving').complete()
  await workflow.stage('ai_parsing').complete()
  await workflow.stage('upload').complete()
  t.strictSame((await news()).filter(({ type }) => type !== 'stage').map(brief), ['10 saving completed', '90 ai_parsing completed', '100 upload completed', 'upload !'])
})

t.test('what makes no sense changes nothing, and is told', async (t) => {
  const { order, news, errors } = setup(t)
  const workflow = order()
  const codes = () => errors.splice(0).map(({ code, field }) => `${code} ${field}`)
  const parsing = workflow.stage('ai_parsing')
  for (const bad of [NaN, -1, Infinity, '5' as never, 1n as never, null as never]) parsing.advance(bad)
  t.strictSame(codes(), Array(6).fill('RTF_BAD_EVENT advance'))
  for (const bad of [NaN, -0.1, 1.1, Infinity, '1' as never]) parsing.report(bad)
  t.strictSame(codes(), Array(5).fill('RTF_BAD_EVENT fraction'))
  workflow.stage('upload').advance()
  t.strictSame(codes(), ['RTF_BAD_EVENT items'])
  await workflow.stage('saving').start({ items: NaN })
  t.strictSame(codes(), ['RTF_BAD_EVENT items'])
  await order([{ name: 'a', weight: 1, items: -1 }]).stage('a').start({ items: 5 })
  t.strictSame(codes(), ['RTF_BAD_EVENT items'])

  await workflow.stage('upload').complete()
  await news()
  t.match(await workflow.stage('upload').start(), { ok: false, error: { code: 'RTF_STAGE_FINISHED' } })
  t.match(await workflow.stage('upload').complete(), { ok: false, error: { code: 'RTF_STAGE_FINISHED' } })
  t.match(await workflow.stage('upload').fail('late'), { ok: false, error: { code: 'RTF_STAGE_FINISHED' } })
  workflow.stage('upload').report(1)
  workflow.stage('upload').expect(5)
  t.strictSame(codes(), Array(4).fill('RTF_STAGE_FINISHED stage'))
  await workflow.fail('enough')
  t.strictSame((await news()).map(brief), ['upload ✗ enough'], 'in the stage that was last heard of')
  t.match(await workflow.fail('again'), { ok: false, error: { code: 'RTF_WORKFLOW_FINISHED' } })
  t.match(await parsing.start(), { ok: false, error: { code: 'RTF_WORKFLOW_FINISHED' } })
  t.match(await parsing.complete(), { ok: false, error: { code: 'RTF_WORKFLOW_FINISHED' } })
  parsing.advance()
  t.strictSame(codes(), Array(4).fill('RTF_WORKFLOW_FINISHED stage'))
  t.strictSame(await news(), [])
})

t.test('a strict publisher rejects what can be awaited', async (t) => {
  const { order, errors } = setup(t, { strict: true })
  const workflow = order()
  workflow.stage('upload').advance(NaN)
  await workflow.stage('upload').complete()
  await t.rejects(workflow.stage('upload').complete(), { code: 'RTF_STAGE_FINISHED' })
  await t.rejects(workflow.stage('saving').complete({ confidence: 2 }), { code: 'RTF_BAD_EVENT', field: 'confidence' })
  t.equal(errors.length, 3)
})

t.test('stages that make no sense are thrown', async (t) => {
  const { order, publisher } = setup(t)
  for (const stages of [
    [], [{ name: '', weight: 1 }], [{ name: 'a', weight: 1 }, { name: 'a', weight: 2 }], [{ name: 5, weight: 1 }],
    [{ name: 'a', weight: 0 }], [{ name: 'a', weight: -1 }], [{ name: 'a', weight: NaN }], [{ name: 'a', weight: Infinity }], [{ name: 'a' }], [{ name: 'a', weight: '1' }], [null], undefined, 'ab',
    [{ name: 'a', weight: 1e308 }, { name: 'b', weight: 1e308 }],
  ]) t.throws(() => publisher.workflow({ merchantId: 'TEST', poId: '1', stages: stages as StageDeclaration[] }), { code: 'RTF_BAD_OPTION' }, JSON.stringify(stages))
  for (const maxPerSecond of [0, NaN, '4' as never]) t.throws(() => order(STAGES, { maxPerSecond }), { code: 'RTF_BAD_OPTION' })
  t.throws(() => order().stage('packing'), { code: 'RTF_UNKNOWN_STAGE', field: 'stage', message: 'packing is none of the stages that the workflow declares: upload, ai_parsing, saving' })
})

t.test('items that are known only when it starts, or none at all', async (t) => {
  const { order, news } = setup(t)
  const workflow = order([{ name: 'a', weight: 1 }, { name: 'b', weight: 1, items: 0 }])
  await workflow.stage('a').start({ items: 4 })
  workflow.stage('a').advance(1)
  await news()
  workflow.stage('a').advance(100, 'more than there are')
  t.strictSame((await news()).map(brief), ['50 more than there are'])
  workflow.stage('b').advance(0)
  t.strictSame((await news()).map(brief), ['b started', '99.9 b: 0 of 0'], 'not the end before the end')
})

t.test('what the merchant is told of an error', async (t) => {
  const { order, news, errors } = setup(t)
  for (const [error, text] of [[new Error('e'), 'e'], ['s', 's'], [undefined, 'undefined'], [{ toString: () => 'o' }, 'o'], ['x'.repeat(70_000), 'x'.repeat(1_000)], ['', 'failed']] as const) {
    await order().fail(error)
    t.match(await news(), [{ type: 'error', stage: 'upload', error: text, poId: '1', workflowId: 'w' }])
  }
  await order(STAGES, { describeError: () => undefined as never }).fail('e')
  t.match(await news(), [{ error: 'failed' }])
  await order(STAGES, { describeError: () => 'Something went wrong' }).stage('saving').fail(new Error('connect ECONNREFUSED 10.0.0.3:5432'))
  t.match(await news(), [{ stage: 'saving', error: 'Something went wrong' }])
  t.strictSame(errors, [])
  await order().fail(Object.create(null))
  t.match(await news(), [{ error: 'failed' }])
  t.match(errors, [{ code: 'RTF_BAD_OPTION', message: 'describeError threw' }])
})

t.test('the estimate', async (t) => {
  class Store implements DurationStore {
    readonly runs: Array<[string, StageRun]> = []
    readonly recalled: Array<readonly string[]> = []
    recall = async (stages: readonly string[]): Promise<ReadonlyMap<string, TypicalDuration>> => {
      this.recalled.push(stages)
      return new Map([['upload', { ms: 1_000 }], ['ai_parsing', { ms: 8_000 }], ['saving', { ms: 1_000 }]])
    }

    record = async (stage: string, run: StageRun): Promise<void> => { this.runs.push([stage, run]) }
  }

  t.test('is made of what a store remembers, which is told of each run', async (t) => {
    const { order, news, clock } = setup(t)
    const store = new Store()
    const workflow = order(STAGES, { durations: store })
    t.strictSame(store.recalled, [['upload', 'ai_parsing', 'saving']])
    await workflow.stage('upload').start()
    await clock.tickAsync(1_000)
    await workflow.stage('upload').complete()
    const [, progress] = await news()
    t.match(progress, { type: 'progress', etaMs: Number })
    t.ok((progress!.etaMs as number) > 8_000 && (progress!.etaMs as number) < 10_000, String(progress!.etaMs))
    await workflow.stage('ai_parsing').start({ items: 20 })
    await clock.tickAsync(500)
    await workflow.stage('ai_parsing').complete()
    t.strictSame(store.runs, [['upload', { ms: 1_000 }], ['ai_parsing', { ms: 500, items: 20 }]])
  })

  t.test('is told of items when they are known', async (t) => {
    const { order, news } = setup(t)
    const store = new Store()
    store.recall = async () => new Map([['upload', { ms: 0 }], ['ai_parsing', { ms: 1_000, msPerItem: 100 }], ['saving', { ms: 0 }]])
    const workflow = order([{ name: 'upload', weight: 1 }, { name: 'ai_parsing', weight: 1 }, { name: 'saving', weight: 1 }], { durations: store })
    await setImmediate()
    void workflow.track('ai_parsing', async (stage) => {
      stage.expect(50)
      stage.advance(0)
      return new Promise(() => {})
    })
    t.equal((await news()).at(-1)!.etaMs, 5_000)
  })

  t.test('is none without a store, until the work has shown its pace', async (t) => {
    const { order, news, clock } = setup(t)
    const workflow = order()
    workflow.stage('ai_parsing').report(0, 'begun')
    t.match((await news())[1], { type: 'progress', etaMs: undefined })
    for (let n = 0; n < 20; n++) {
      await clock.tickAsync(1_000)
      workflow.stage('ai_parsing').advance()
    }
    const eta = (await news()).at(-1)!.etaMs as number
    // 20 items to go at one per second, and two stages that should take an eighth of the whole of it each.
    t.ok(eta > 20_000 * 0.8 && eta < 30_000 * 1.2, String(eta))
  })

  t.test('does without a store that fails', async (t) => {
    const { order, news, errors, publisher } = setup(t)
    const away = async () => { throw new Error('away') }
    const awry = () => { throw new Error('away') }
    for (const durations of [{ recall: away, record: away }, { recall: awry, record: awry }, { recall: async () => ({}) as never, record: away }]) {
      const workflow = order(STAGES, { durations })
      await workflow.stage('upload').complete()
      t.strictSame((await news()).map(brief), ['upload started', '10 upload completed', 'upload completed'])
      await setImmediate()
      t.match(errors.splice(0), [{ code: 'RTF_DURATIONS_AWAY' }, { code: 'RTF_DURATIONS_AWAY' }])
    }
    t.equal(publisher.counts.failed, 0, 'no event has')
  })
})

t.test('whatever happens, progress goes up, and is 100 at the end only', async (t) => {
  const { order, news } = setup(t)
  const names = ['a', 'b', 'c'] as const
  const deed = fc.tuple(fc.constantFrom(...names), fc.oneof(fc.constant('start' as const), fc.constant('complete' as const), fc.double({ noNaN: true, min: 0, max: 1 }), fc.integer({ min: 0, max: 9 })))
  await fc.assert(fc.asyncProperty(fc.array(fc.float({ min: Math.fround(0.01), max: 100, noNaN: true }), { minLength: 3, maxLength: 3 }), fc.array(deed, { maxLength: 60 }), async (weights, deeds) => {
    const workflow = order(names.map((name, i) => ({ name, weight: weights[i]!, items: 7 })), { maxPerSecond: 1e9 })
    for (const [name, what] of deeds) {
      const stage = workflow.stage(name)
      if (what === 'start') await stage.start()
      else if (what === 'complete') await stage.complete()
      else if (Number.isInteger(what) && what > 1) stage.advance(what)
      else stage.report(Math.min(what, 1))
    }
    const events = await news()
    const shown = events.filter(({ type }) => type === 'progress').map(({ progress }) => progress as number)
    const completed = new Set(events.filter(({ status }) => status === 'completed').map(({ stage }) => stage)).size === 3
    return shown.every((progress, i) => progress >= (shown[i - 1] ?? 0) && (progress < 100 || (completed && i === shown.length - 1)))
  }), { numRuns: 200 })
})
