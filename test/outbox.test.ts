import { execFile } from 'node:child_process'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import fakeTimers from '@sinonjs/fake-timers'
import t, { type Test } from 'tap'
import { MerchantPublisher, type Attempt, type CommonOptions, type FieldsOf, type ProgressEvent, type PublishError, type PublisherOptions } from '../src/publisher/index.js'

const run = promisify(execFile)

const step = (n: number) => ({ poId: '1', progress: n % 101, message: `step ${n}` })

/** A Redis client that answers when and what the test says, in the order of what it was asked. */
class Client {
  status = 'ready'
  readonly asked: Array<{ channel: string, payload: string, answer: () => void, fail: (error: Error) => void }> = []
  /** Answers at once. */
  willing = true

  async publish (channel: string, payload: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.asked.push({ channel, payload, answer: () => { resolve(1) }, fail: reject })
      if (this.willing) resolve(1)
    })
  }

  get messages (): string[] {
    return this.asked.map(({ payload }) => (JSON.parse(payload) as { message: string }).message)
  }
}

class ReplyError extends Error {
  override readonly name = 'ReplyError'
}

function setup (options: CommonOptions = {}) {
  const client = new Client()
  const told: Array<{ error: PublishError, attempt: Attempt }> = []
  const publisher = new MerchantPublisher({ redis: client, onError: (error, attempt) => { told.push({ error, attempt }) }, ...options })
  return { client, publisher, told }
}

t.test('what is wrong is not sent, and said by its field', async (t) => {
  const { client, publisher, told } = setup()
  const circular: Record<string, unknown> = {}
  circular.self = circular
  let asked = 0
  const fickle = { ...step(1), more: { toJSON: () => { if (asked++ === 0) throw new Error('once') } } }
  const bad: Array<[string, unknown, { code: string, field?: string, message?: RegExp }]> = [
    ...['', ':', 'a:b', '_probe', '-', 'a'.repeat(129), 'a b', 'ä', 'a\n', '*', undefined, null, 7, {}].map((merchantId): [string, unknown, { code: string, field: string }] =>
      [merchantId as string, step(1), { code: 'RTF_BAD_MERCHANT_ID', field: 'merchantId' }]),
    ...[101, -1, NaN, Infinity, -Infinity, '50', null, undefined, 50n, [50]].map((progress): [string, unknown, { code: string, field: string }] =>
      ['TEST', { ...step(1), progress }, { code: 'RTF_BAD_EVENT', field: 'progress' }]),
    ['TEST', { progress: 1, message: 'm' }, { code: 'RTF_BAD_EVENT', field: 'poId', message: /poId is missing/ }],
    ['TEST', { ...step(1), poId: '' }, { code: 'RTF_BAD_EVENT', field: 'poId' }],
    ['TEST', { ...step(1), etaMs: -1 }, { code: 'RTF_BAD_EVENT', field: 'etaMs' }],
    ['TEST', { ...step(1), timestamp: new Date() }, { code: 'RTF_BAD_EVENT', field: 'timestamp' }],
    ['TEST', { ...step(1), more: circular }, { code: 'RTF_BAD_EVENT', field: 'more', message: /more cannot be written as JSON: .*circular/ }],
    ['TEST', { ...step(1), more: { n: 1n } }, { code: 'RTF_BAD_EVENT', field: 'more', message: /BigInt/ }],
    ['TEST', { ...step(1), toJSON: () => 'text' }, { code: 'RTF_BAD_EVENT', field: 'toJSON' }],
    ['TEST', { ...step(1), more: { toJSON: () => { throw new Error('no') } } }, { code: 'RTF_BAD_EVENT', field: 'more', message: /more cannot be written as JSON: no/ }],
    ['TEST', { ...step(1), more: { toJSON: () => { throw 'text' } } }, { code: 'RTF_BAD_EVENT', field: 'more', message: /: text/ }], // eslint-disable-line @typescript-eslint/only-throw-error -- as others do
    ['TEST', fickle, { code: 'RTF_BAD_EVENT', field: 'event', message: /event cannot be written as JSON: once/ }],
    ['TEST', { ...step(1), message: 'x'.repeat(65_536) }, { code: 'RTF_EVENT_TOO_LARGE', message: /more than 65536/ }],
    ['TEST', undefined, { code: 'RTF_BAD_EVENT', field: 'poId' }],
    ['TEST', 'text', { code: 'RTF_BAD_EVENT', field: 'poId' }],
  ]
  for (const [merchantId, data, error] of bad) {
    t.match(await publisher.progress(merchantId, data as FieldsOf<ProgressEvent>), { ok: false, error: { name: 'PublishError', ...error } }, `${merchantId}: ${String(error.field)}`)
  }
  t.match(await publisher.progress('TEST', Object.defineProperty(step(1), 'more', { enumerable: true, get: () => { throw new Error('lazy') } })), { ok: false, error: { code: 'RTF_BAD_EVENT', field: 'event', message: 'event cannot be read: lazy' } })
  t.match(await publisher.publish('TEST', null as never), { ok: false, error: { code: 'RTF_BAD_EVENT', field: 'event' } })
  t.match(await publisher.publish('TEST', { type: 'gap' }), { ok: false, error: { code: 'RTF_BAD_EVENT', field: 'type' } })
  t.match(await publisher.stage('TEST', { stage: 's', poId: '1', status: 'half' as 'started', message: 'm' }), { ok: false, error: { field: 'status' } })
  t.match(await publisher.completion('TEST', { stage: 's', poId: '1', confidence: 1.1 }), { ok: false, error: { field: 'confidence' } })
  t.match(await publisher.error('TEST', { stage: 's', poId: '1', error: new Error('e') as never }), { ok: false, error: { field: 'error' } })
  t.strictSame(client.asked, [])
  t.strictSame(publisher.counts, { published: 0, failed: bad.length + 6, waiting: 0 })
  t.equal(told.length, bad.length + 6)
  t.match(told[0], { error: { code: 'RTF_BAD_MERCHANT_ID' }, attempt: { merchantId: '', event: { message: 'step 1' } } })
})

t.test('an event as large as may be', async (t) => {
  const { client, publisher } = setup({ maxMessageBytes: 200 })
  const published = { type: 'x', text: 'ä'.repeat(89) }
  t.equal(Buffer.byteLength(JSON.stringify(published)), 200)
  t.match(await publisher.publish('TEST', published), { ok: true })
  t.match(await publisher.publish('TEST', { ...published, n: 1 }), { ok: false })
  t.equal(client.asked.length, 1)
})

t.test('a strict publisher rejects, and tells and counts all the same', async (t) => {
  const { client, publisher, told } = setup({ strict: true, bridgeMs: 0 })
  await t.rejects(publisher.progress('TEST', { ...step(1), progress: 101 }), { code: 'RTF_BAD_EVENT', field: 'progress' })
  client.status = 'end'
  await t.rejects(publisher.progress('TEST', step(1)), { code: 'RTF_BROKER_AWAY', message: /Redis is not connected \(end\)/ })
  t.equal(told.length, 2)
  t.equal(publisher.counts.failed, 2)
})

t.test('an onError that throws breaks nothing', async (t) => {
  const warned = new Promise((resolve) => { process.once('warning', resolve) })
  const publisher = new MerchantPublisher({ redis: new Client(), onError: () => { throw new Error('mine') } })
  t.match(await publisher.progress('', step(1)), { ok: false })
  t.match(await warned, { message: 'mine' })
})

t.test('nor does one that rejects, or throws what is no error', async (t) => {
  const warnings: unknown[] = []
  const listener = ({ message }: Error) => { warnings.push(message) }
  process.on('warning', listener)
  t.teardown(() => { process.off('warning', listener) })
  for (const onError of [async () => { throw new Error('mine, later') }, () => { throw undefined }]) { // eslint-disable-line @typescript-eslint/only-throw-error -- as some do
    t.match(await new MerchantPublisher({ redis: new Client(), onError }).progress('', step(1)), { ok: false })
  }
  await setImmediate()
  t.strictSame(warnings, ['mine, later', 'onError threw undefined'])
})

t.test('without onError, there is a process warning, not one for each', async (t) => {
  const clock = fakeTimers.install({ toFake: ['performance'] })
  t.teardown(() => { clock.uninstall() })
  const warnings: Error[] = []
  const listener = (warning: Error) => { warnings.push(warning) }
  process.on('warning', listener)
  t.teardown(() => { process.off('warning', listener) })
  const publisher = new MerchantPublisher({ redis: new Client() })
  for (let n = 0; n < 10; n++) await publisher.progress('', step(n))
  clock.tick(10_001)
  for (let n = 0; n < 10; n++) await publisher.progress('', step(n))
  await setImmediate() // Warnings are emitted in the next tick.
  t.match(warnings, [{ name: 'PublishWarning', code: 'RTF_BAD_MERCHANT_ID' }, { name: 'PublishWarning', message: /^a merchant id is/ }])
  t.equal(warnings.length, 2)
})

t.test('an outage that lasts', async (t) => {
  const clock = fakeTimers.install({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
  t.teardown(() => { clock.uninstall() })
  const { client, publisher } = setup({ bridgeMs: 5_000 })
  client.status = 'reconnecting'

  const first = publisher.progress('TEST', step(1))
  await clock.tickAsync(3_000)
  const second = publisher.progress('TEST', step(2))
  const fates: string[] = []
  for (const [i, fate] of [first, second].entries()) void fate.then(({ ok }) => fates.push(`${i} ${ok}`))
  await clock.tickAsync(1_999)
  t.strictSame(fates, [], 'is bridged for so long')
  await clock.tickAsync(1)
  t.strictSame(fates, ['0 false', '1 false'], 'then all that waits fails')
  t.match(await first, { error: { code: 'RTF_BROKER_AWAY', message: 'not sent: Redis is not connected (reconnecting)', cause: { name: 'Away' } } })

  const startedAt = performance.now()
  for (let n = 0; n < 100; n++) t.match(await publisher.progress('TEST', step(n)), { ok: false, error: { code: 'RTF_BROKER_AWAY' } })
  t.equal(performance.now(), startedAt, 'and nobody waits for it again')

  client.status = 'ready'
  t.match(await publisher.progress('TEST', step(3)), { ok: false }, 'between attempts, it is not asked whether it is back')
  await clock.tickAsync(5_000)
  t.match(await publisher.progress('TEST', step(4)), { ok: true })
  t.match(await publisher.progress('TEST', step(5)), { ok: true })
  t.strictSame(client.messages, ['step 4', 'step 5'])

  client.status = 'reconnecting'
  const third = publisher.progress('TEST', step(6))
  await clock.tickAsync(4_000)
  client.status = 'ready'
  await clock.tickAsync(1_000)
  t.match(await third, { ok: true }, 'the next one is bridged as the first')
  t.strictSame(publisher.counts, { published: 3, failed: 103, waiting: 0 })
})

t.test('what Redis answers', async (t) => {
  const clock = fakeTimers.install({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
  t.teardown(() => { clock.uninstall() })
  const { client, publisher } = setup()
  client.willing = false
  const published = [1, 2, 3].map(async (n) => publisher.progress('TEST', step(n)))
  await clock.tickAsync(0)
  client.asked[0]!.fail(new ReplyError('LOADING Redis is loading the dataset in memory'))
  client.asked[1]!.fail(new ReplyError('NOPERM this user has no permissions'))
  client.asked[2]!.answer()
  t.match(await published[1], { ok: false, error: { code: 'RTF_REFUSED', message: /NOPERM/ } })
  t.match(await published[2], { ok: true })
  client.willing = true
  await clock.tickAsync(50)
  t.match(await published[0], { ok: true }, 'what passes is waited for')
  t.strictSame(client.messages, ['step 1', 'step 2', 'step 3', 'step 1'])

  client.willing = false
  const silent = publisher.progress('TEST', step(4))
  await clock.tickAsync(3_000)
  const meanwhile = publisher.progress('TEST', step(5))
  await clock.tickAsync(1_000)
  client.willing = true
  client.asked[4]!.answer()
  await clock.tickAsync(1_000)
  t.match(await Promise.all([silent, meanwhile]), [{ ok: true }, { ok: true }])
  t.strictSame(client.messages.slice(4), ['step 4', 'step 5'], 'what is not answered is not sent again')
})

t.test('a client that never answers is given one batch, and no more', async (t) => {
  const clock = fakeTimers.install({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
  t.teardown(() => { clock.uninstall() })
  const { client, publisher } = setup()
  client.willing = false
  for (let n = 0; n < 1_000; n++) {
    void publisher.progress('TEST', step(n))
    await clock.tickAsync(100)
  }
  t.equal(client.asked.length, 1)
  t.ok(publisher.counts.failed > 900)
  const closed = publisher.close()
  await clock.tickAsync(5_000)
  await closed
})

t.test('a Cluster without nodes is away', async (t) => {
  const publisher = new MerchantPublisher({ redis: { status: 'ready', publish: async () => {}, nodes: () => [] }, bridgeMs: 0, onError: () => {} })
  t.match(await publisher.progress('TEST', step(1)), { ok: false, error: { code: 'RTF_BROKER_AWAY', message: /no node of the cluster/ } })
})

t.test('a client that is none', async (t) => {
  for (const [publish, ok] of [[() => { throw new Error('thrown') }, false], [() => undefined, true]] as const) {
    const publisher = new MerchantPublisher({ redis: { status: 'ready', publish: publish as never }, bridgeMs: 0, onError: () => {} })
    t.equal((await publisher.progress('TEST', step(1))).ok, ok)
  }
})

t.test('a buffer that is full gives up the oldest progress, or else the oldest event', async (t) => {
  for (const limits of [{ maxBufferedEvents: 3 }, { maxBufferedBytes: 3 * JSON.stringify({ type: 'x', n: 1 }).length }]) {
    const { client, publisher } = setup(limits)
    client.willing = false
    const underWay = publisher.publish('TEST', { type: 'x', n: 0 })
    await setImmediate()
    const waiting = [1, 2, 3, 4, 5].map(async (n) => publisher.publish('TEST', { type: 'x', n }))
    t.match(await Promise.all(waiting.slice(0, 2)), [{ ok: false, error: { code: 'RTF_BUFFER_FULL' } }, { ok: false }])
    t.equal(publisher.counts.waiting, 4)
    client.willing = true
    client.asked[0]!.answer()
    t.match(await Promise.all([underWay, ...waiting.slice(2)]), [{ ok: true }, { ok: true }, { ok: true }, { ok: true }])
    t.strictSame(client.asked.map(({ payload }) => (JSON.parse(payload) as { n: number }).n), [0, 3, 4, 5])
  }

  const { client, publisher } = setup({ maxBufferedEvents: 3 })
  const error = publisher.error('TEST', { stage: 's', poId: '1', error: 'no' })
  const steps = [1, 2, 3, 4].map(async (n) => publisher.progress('TEST', step(n)))
  t.match(await Promise.all([error, ...steps]), [{ ok: true }, { ok: false }, { ok: false }, { ok: true }, { ok: true }])
  t.equal(client.asked.length, 3)
})

t.test('memory is bounded, however long Redis is away', async (t) => {
  // In a process of its own, so that only this is in its heap; 120 MB of events, if all were kept.
  const script = `
    import { MerchantPublisher } from ${JSON.stringify(new URL('../dist/publisher/index.js', import.meta.url).href)}
    const publisher = new MerchantPublisher({ redis: { status: 'reconnecting', publish: async () => {} }, bridgeMs: 3_600_000, onError () {}, maxBufferedBytes: 2 ** 20 })
    for (let n = 0; n < 12_000; n++) {
      void publisher.publish('TEST', { type: 'x', n, text: String(n).padEnd(10_000) })
      if (n % 100 === 0) await new Promise(setImmediate)
    }
    await new Promise(setImmediate)
    console.log(JSON.stringify(publisher.counts))
    process.exit()`
  const { stdout } = await run(process.execPath, ['--max-old-space-size=48', '--input-type=module', '--eval', script])
  const { published, failed, waiting } = JSON.parse(stdout) as typeof MerchantPublisher.prototype.counts
  t.strictSame([published, failed + waiting], [0, 12_000])
  t.ok(waiting > 100 && waiting < 110, String(waiting))
})

t.test('flush and close', async (t) => {
  const { client, publisher } = setup()
  client.willing = false
  const order: string[] = []
  void publisher.progress('TEST', step(1)).then(() => order.push('published'))
  void publisher.flush().then(() => order.push('flushed'))
  const closed = publisher.close().then(() => order.push('closed'))
  await setImmediate()
  t.strictSame(order, [])
  client.asked[0]!.answer()
  await closed
  t.strictSame(order, ['published', 'flushed', 'closed'])
  t.match(await publisher.progress('TEST', step(2)), { ok: false, error: { code: 'RTF_PUBLISHER_CLOSED' } })
  await publisher.flush()
  await publisher.close()
})

t.test('options that make no sense end it at once', async (t: Test) => {
  const client = new Client()
  const bad: Array<[unknown, RegExp]> = [
    [{}, /redis takes an ioredis client or a URL/],
    [{ redis: 'localhost:6379' }, /redis takes/],
    [{ redis: 'http://localhost' }, /redis takes/],
    [{ redis: {} }, /redis takes/],
    [{ redis: 'nowhere' }, /redis takes/],
    [{ redis: null }, /redis takes/],
    [{ redis: { publish () {} } }, /redis takes/],
    [{ redis: 'redis://:100%sure@localhost' }, /redis takes/],
    [{ redis: 'redis://localhost?lazyConnect=true' }, /redis takes/],
    [{ redis: client, bridgeMs: '5000' }, /bridgeMs takes/],
    [{ redis: client, timeoutMs: Infinity }, /timeoutMs takes/],
    [{ redis: client, http: { url: 'http://localhost' } }, /take one/],
    [{ http: { url: 'localhost' } }, /http.url takes/],
    [{ http: { url: 'redis://localhost' } }, /http.url takes/],
    [{ redis: client, bridgeMs: -1 }, /bridgeMs takes/],
    [{ redis: client, timeoutMs: 0 }, /timeoutMs takes/],
    [{ redis: client, maxMessageBytes: NaN }, /maxMessageBytes takes/],
    [{ redis: client, maxBufferedEvents: 0 }, /maxBufferedEvents takes/],
    [{ redis: client, maxBufferedBytes: -5 }, /maxBufferedBytes takes/],
  ]
  for (const [options, message] of bad) t.throws(() => new MerchantPublisher(options as PublisherOptions), { code: 'RTF_BAD_OPTION', message })
})
