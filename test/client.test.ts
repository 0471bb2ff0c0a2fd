import { once } from 'node:events'
import { EventSource } from 'eventsource'
import FakeTimers, { type Clock } from '@sinonjs/fake-timers'
import t, { type Test } from 'tap'
import { createRealtimeClient, eventSourceTransport, fetchTransport, type CredentialRequest, type RealtimeOptions } from '../src/client/index.js'
import { Listener } from './helpers/listener.js'
import { Script, greeting, type Asked } from './helpers/script.js'

/*
 * When our own client comes back, and when it gives up: by answers that are given by hand, in time that is turned by hand.
 */

const URL_ = 'http://service.test/api/realtime/events'
const SILENCE_MS = 37_500
/** What is added to the wait before the n-th attempt after a failure is less than this. */
const jitterOf = (n: number) => Math.min(30_000, 1_000 * 2 ** (n - 1))

interface Stage {
  readonly script: Script
  readonly listener: Listener
  readonly clock: Clock
}

/** A client whose service is the test, in fake time. */
function stage (t: Test, options: Partial<RealtimeOptions> = {}): Stage {
  const clock = FakeTimers.install({ now: 1_800_000_000_000, toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  t.teardown(() => { clock.uninstall() })
  const script = new Script()
  const listener = new Listener(t, { url: URL_, merchantId: 'TEST', transport: fetchTransport(script.fetch), ...options })
  return { script, listener, clock }
}

/** One that is open. */
async function open (t: Test, options?: Partial<RealtimeOptions>): Promise<Stage & { readonly stream: Asked }> {
  const staged = stage(t, options)
  const stream = await staged.script.nth(1)
  stream.greet()
  await staged.listener.opened(1)
  return { ...staged, stream }
}

/** That the n-th attempt begins between these times from now, and not before. */
async function begins (t: Test, { script, clock }: Stage, n: number, fromMs: number, toMs: number): Promise<Asked> {
  if (fromMs > 0) {
    await clock.tickAsync(fromMs - 1)
    t.equal(script.asked.all.length, n - 1, `not before ${fromMs} ms`)
    await clock.tickAsync(1)
  }
  if (toMs > fromMs) await clock.tickAsync(toMs - fromMs)
  t.equal(script.asked.all.length, n, `by ${toMs} ms`)
  return script.nth(n)
}

/** The platform's own way to report what a listener throws, for as long as a test. */
function reported (t: Test): unknown[] {
  const errors: unknown[] = []
  const global = globalThis as { reportError?: (error: unknown) => void }
  global.reportError = (error) => { errors.push(error) }
  t.teardown(() => { delete global.reportError })
  return errors
}

/** What a page has, and Node.js has not. */
function page (t: Test): { readonly window: EventTarget, readonly document: EventTarget & { visibilityState: string } } {
  const window = new EventTarget()
  const document = Object.assign(new EventTarget(), { visibilityState: 'hidden' })
  const global = globalThis as Record<string, unknown>
  global.addEventListener = window.addEventListener.bind(window)
  global.removeEventListener = window.removeEventListener.bind(window)
  global.document = document
  t.teardown(() => { for (const name of ['addEventListener', 'removeEventListener', 'document']) delete global[name] })
  return { window, document }
}

t.test('the first request', async (t) => {
  const { script, listener } = stage(t, { topics: ['progress', 'error'] })
  const { url, init } = await script.nth(1)
  t.equal(url.href, `${URL_}?merchantId=TEST&topics=progress%2Cerror`)
  t.strictSame({ ...init, signal: undefined }, { headers: { accept: 'text/event-stream' }, credentials: 'same-origin', cache: 'no-store', signal: undefined })
  t.strictSame([listener.client.state, listener.client.lastEventId, listener.client.error], ['connecting', undefined, undefined])
})

t.test('a URL without host is of the page, and its query stays', async (t) => {
  const global = globalThis as { location?: { href: string } }
  global.location = { href: 'https://app.test/orders/1' }
  t.teardown(() => { delete global.location })
  const { script } = stage(t, { url: '/api/realtime/events?replay=5', merchantId: undefined, credentials: 'include' })
  const { url, init } = await script.nth(1)
  t.equal(url.href, 'https://app.test/api/realtime/events?replay=5')
  t.equal(init.credentials, 'include')
})

t.test('options that cannot work are refused', async (t) => {
  const getToken = () => 'token'
  t.throws(() => createRealtimeClient({ url: '/no-page-here' }), TypeError)
  t.throws(() => createRealtimeClient({ url: URL_, getToken, getTicket: getToken }), new TypeError('give getToken or getTicket, not both'))
  t.throws(() => createRealtimeClient({ url: URL_, getToken, transport: eventSourceTransport(EventSource) }), new TypeError('this transport sends no token: give getTicket instead of getToken'))
})

t.test('it is open when the service has greeted it, and not before', async (t) => {
  const { script, listener } = stage(t)
  const stream = await script.nth(1)
  stream.open('retry: 2000\n\n')
  await new Promise(setImmediate)
  t.equal(listener.client.state, 'connecting')
  stream.send(greeting('1.-.abcdefg.1'))
  await listener.opened(1)
  t.equal(listener.client.lastEventId, '1.-.abcdefg.1')
  t.strictSame(listener.heard.all, [], 'the greeting is no event')
})

for (const status of [408, 410, 429, 500, 502, 503, 504]) {
  t.test(`${status} heals: it tries again, ever more seldom`, async (t) => {
    const staged = stage(t)
    const { script, listener } = staged
    for (let n = 1; n <= 7; n++) {
      const asked = n === 1 ? await script.nth(1) : await begins(t, staged, n, 0, jitterOf(n - 1))
      asked.refuse(status)
      const error = (await listener.errors.count(n))[n - 1]!
      t.match(error, { name: 'RealtimeError', code: `RTF_${status}`, message: `no: ${status}`, status })
      t.equal(listener.client.state, 'reconnecting')
      t.equal(listener.client.error, undefined, 'which is no end')
    }
    const stream = await begins(t, staged, 8, 0, 30_000)
    stream.greet(0)
    await listener.opened(1)
    stream.end()
    await listener.errors.count(8)
    const again = await begins(t, staged, 9, 0, 1)
    again.refuse(status)
    await listener.errors.count(9)
    await begins(t, staged, 10, 0, jitterOf(1))
  })
}

t.test('what is asked for is waited for', async (t) => {
  const table: Array<[name: string, retryAfter: string, ms: number]> = [
    ['seconds', '20', 20_000],
    ['a date', new Date(1_800_000_020_000).toUTCString(), 20_000],
    ['a date that is past', new Date(1_700_000_000_000).toUTCString(), 0],
    ['what is neither', 'soon', 0],
    ['more than can be believed', '99999999999', 3_600_000],
  ]
  for (const [name, retryAfter, ms] of table) {
    t.test(`Retry-After, ${name}`, async (t) => {
      const staged = stage(t)
      ;(await staged.script.nth(1)).refuse(429, { 'retry-after': retryAfter })
      await staged.listener.errors.count(1)
      await begins(t, staged, 2, ms, ms + jitterOf(1))
    })
  }

  t.test('retry: after a stream that was lost, neither less nor more; after that, no less', async (t) => {
    const staged = await open(t)
    staged.stream.send('retry: 4321\n\n')
    staged.stream.end()
    const [error] = await staged.listener.errors.count(1)
    t.match(error, { code: 'CONNECTION_LOST', status: undefined })
    const second = await begins(t, staged, 2, 4_321, 4_321)
    second.fail()
    t.match((await staged.listener.errors.count(2))[1], { code: 'CONNECTION_LOST', cause: { message: 'reset' } })
    const third = await begins(t, staged, 3, 4_321, 4_321 + jitterOf(1))
    third.fail()
    await staged.listener.errors.count(3)
    await begins(t, staged, 4, 4_321, 4_321 + jitterOf(2))
  })

  t.test('retry: with a farewell', async (t) => {
    const staged = await open(t)
    staged.stream.send('retry: 700\n\nid: 2.-.abcdefg.2\nevent: close\ndata: {"type":"close","reason":"draining","reconnect":true}\n\n')
    t.match(await staged.listener.heard.next(), { name: 'close', data: { reason: 'draining', reconnect: true } })
    t.equal(staged.stream.init.signal.aborted, true, 'it does not wait for the end')
    t.equal(staged.listener.client.state, 'reconnecting')
    const { url } = await begins(t, staged, 2, 700, 700)
    t.equal(url.searchParams.get('lastEventId'), '2.-.abcdefg.2')
    t.strictSame(staged.listener.errors.all, [], 'a farewell is no error')
  })

  t.test('retry: with a farewell before any stream, and longer each time', async (t) => {
    const staged = stage(t)
    for (let n = 1; n <= 4; n++) {
      const asked = n === 1 ? await staged.script.nth(1) : await begins(t, staged, n, 9_000, 9_000 + jitterOf(n - 1))
      asked.open('retry: 9000\n\nevent: close\ndata: {"type":"close","reason":"over_capacity","reconnect":true}\n\n')
      await staged.listener.heard.count(n)
    }
    t.notOk(staged.listener.states.all.includes('open'))
  })

  t.test('a stream that never said how long', async (t) => {
    const staged = stage(t)
    const stream = await staged.script.nth(1)
    stream.open(greeting())
    await staged.listener.opened(1)
    stream.end()
    await staged.listener.errors.count(1)
    await begins(t, staged, 2, 0, jitterOf(1))
  })
})

t.test('told not to come back, it does not', async (t) => {
  const { stream, listener, script, clock } = await open(t)
  stream.send('event: close\ndata: {"type":"close","reason":"unavailable","reconnect":false}\n\n')
  await listener.heard.count(1)
  t.strictSame([listener.client.state, listener.client.error], ['closed', undefined])
  await clock.tickAsync(100_000)
  t.equal(script.asked.all.length, 1)
})

const hopeless: Array<[name: string, answer: (asked: Asked) => void, error: object]> = [
  ...[400, 401, 403, 404, 406].map((status): [string, (asked: Asked) => void, object] => [String(status), (asked) => { asked.refuse(status) }, { code: `RTF_${status}`, status, message: `no: ${status}` }]),
  ['404 of somebody else, in HTML', (asked) => { asked.refuse(404, {}, '<html>') }, { code: 'HTTP_404', status: 404, message: 'the stream was refused with status 404' }],
  ['404 of somebody else, in JSON', (asked) => { asked.refuse(404, {}, 'null') }, { code: 'HTTP_404', status: 404 }],
  ['a page in the place of a stream', (asked) => { asked.open('<html>', 'text/html; charset=utf-8') }, { code: 'NOT_A_STREAM', status: 200, message: 'the answer is no stream of events, but text/html; charset=utf-8' }],
]
for (const [name, answer, error] of hopeless) {
  t.test(`${name} will not heal: it gives up, and says why`, async (t) => {
    const { script, listener, clock } = stage(t)
    answer(await script.nth(1))
    const [told] = await listener.errors.count(1)
    t.match(told, error)
    t.equal(listener.client.state, 'closed')
    t.equal(listener.client.error, told)
    t.equal(script.asked.all[0]!.init.signal.aborted, true, 'of the answer no more is read')
    await clock.tickAsync(100_000)
    t.equal(script.asked.all.length, 1)
    listener.client.reconnect()
    t.strictSame([listener.client.state, listener.client.error], ['connecting', undefined], 'until it is asked to try once more')
    ;(await script.nth(2)).greet()
    await listener.opened(1)
  })
}

t.test('an answer without type or body is no stream', async (t) => {
  for (const answer of [new Response(null, { status: 204 }), new Response(null, { headers: { 'content-type': 'text/event-stream' } })]) {
    const listener = new Listener(t, { url: URL_, transport: fetchTransport(async () => answer) })
    t.match((await listener.errors.count(1))[0], { code: 'NOT_A_STREAM', status: answer.status })
  }
})

t.test('credentials', async (t) => {
  /** Tokens, or tickets, with their number in them; and what was said when they were asked for. */
  function numberedCredentials () {
    const requests: CredentialRequest[] = []
    return {
      requests,
      get: (request: CredentialRequest) => `credential-${requests.push(request)}`,
      get refused () { return requests.map(({ refused }) => refused) },
    }
  }

  t.test('a token for each connection, a fresh one at once when it is refused', async (t) => {
    const tokens = numberedCredentials()
    const staged = await open(t, { getToken: tokens.get })
    t.equal(staged.stream.authorization, 'Bearer credential-1')
    staged.stream.end()
    await staged.listener.errors.count(1)
    const second = await begins(t, staged, 2, 2_000, 2_000)
    t.equal(second.authorization, 'Bearer credential-2')
    second.refuse(401)
    t.match((await staged.listener.errors.count(2))[1], { status: 401 })
    const third = await begins(t, staged, 3, 0, 1)
    t.equal(third.authorization, 'Bearer credential-3')
    t.strictSame(tokens.refused, [false, false, true])
    third.greet()
    await staged.listener.opened(2)

    t.comment('and so again, much later')
    third.end()
    await staged.listener.errors.count(3)
    ;(await begins(t, staged, 4, 2_000, 2_000)).refuse(401)
    await staged.listener.errors.count(4)
    const fifth = await begins(t, staged, 5, 0, 1)
    t.strictSame(tokens.refused, [false, false, true, false, true])
    t.comment('until two in a row are refused, be there other failures between them')
    fifth.fail()
    await staged.listener.errors.count(5)
    ;(await begins(t, staged, 6, 2_000, 2_000 + jitterOf(1))).refuse(401, {}, { code: 'RTF_BAD_TOKEN', message: 'the token is not accepted: it is not signed' })
    await staged.listener.errors.count(6)
    t.equal(staged.listener.client.state, 'closed')
    t.match(staged.listener.client.error, { status: 401, code: 'RTF_BAD_TOKEN', message: 'the token is not accepted: it is not signed' })

    t.comment('after a new log-in it is asked to come back')
    staged.listener.client.reconnect()
    t.equal((await staged.script.nth(7)).authorization, 'Bearer credential-7')
    t.equal(tokens.refused[6], false)
  })

  t.test('a ticket for each connection, in the query', async (t) => {
    const tickets = numberedCredentials()
    const staged = await open(t, { merchantId: undefined, getTicket: async (request) => tickets.get(request) })
    t.equal(staged.stream.url.search, '?ticket=credential-1')
    t.equal(staged.stream.authorization, undefined)
    staged.stream.end()
    await staged.listener.errors.count(1)
    const second = await begins(t, staged, 2, 2_000, 2_000)
    t.equal(second.url.search, '?ticket=credential-2&lastEventId=1.-.abcdefg.1')
    second.refuse(401)
    await staged.listener.errors.count(2)
    const third = await begins(t, staged, 3, 0, 1)
    t.equal(third.url.searchParams.get('ticket'), 'credential-3')
    third.refuse(401)
    await staged.listener.errors.count(3)
    t.match(staged.listener.client.error, { status: 401 })
  })

  t.test('one that cannot be got heals', async (t) => {
    const why = new Error('offline')
    let fails = 2
    const getToken = () => {
      if (fails-- > 0) throw why
      return 'token'
    }
    const staged = stage(t, { getToken })
    t.match((await staged.listener.errors.count(1))[0], { code: 'CREDENTIAL_FAILED', cause: why })
    await staged.clock.tickAsync(jitterOf(1))
    t.match((await staged.listener.errors.count(2))[1], { code: 'CREDENTIAL_FAILED' })
    t.equal((await begins(t, staged, 1, 0, jitterOf(2))).authorization, 'Bearer token')
  })

  t.test('one that never comes is asked for again', async (t) => {
    const requests: CredentialRequest[] = []
    const { listener, clock } = stage(t, {
      getTicket: async (request) => {
        requests.push(request)
        return new Promise(() => {})
      },
    })
    await clock.tickAsync(SILENCE_MS * 1.2)
    t.match(listener.errors.all, [{ code: 'SILENT' }])
    t.equal(requests[0]!.signal.aborted, true)
    await clock.tickAsync(jitterOf(1))
    t.equal(requests.length, 2)
    t.equal(requests[1]!.refused, false)
  })

  for (const settle of ['comes', 'fails'] as const) {
    t.test(`one that ${settle} too late is of no use`, async (t) => {
      let end!: () => void
      const { listener, script } = stage(t, {
        getTicket: async () => new Promise((resolve, reject) => { end = () => { if (settle === 'comes') resolve('late'); else reject(new Error('late')) } }),
      })
      listener.client.close()
      end()
      await new Promise(setImmediate)
      t.equal(script.asked.all.length, 0)
      t.strictSame([listener.client.state, listener.errors.all], ['closed', []])
    })
  }
})

t.test('the cursor', async (t) => {
  const staged = await open(t)
  const { stream, listener } = staged
  stream.send('id: 5.abcdefgh.abcdefg\nevent: custom\ndata: {"type":"custom"}\n\n')
  t.match(await listener.heard.next(), { name: 'custom', id: '5.abcdefgh.abcdefg', raw: '{"type":"custom"}', data: { type: 'custom' } })
  t.equal(listener.client.lastEventId, '5.abcdefgh.abcdefg')
  stream.send(': heartbeat 6\nid: 5.abcdefgh.abcdefg.6\n\nevent: custom\ndata: {}\n\n')
  t.match(await listener.heard.next(), { id: undefined }, 'an event need not have one')
  t.equal(listener.client.lastEventId, '5.abcdefgh.abcdefg.6', 'one comes with a heartbeat, too')
  stream.end()
  await listener.errors.count(1)
  const { url } = await begins(t, staged, 2, 2_000, 2_000)
  t.equal(url.searchParams.get('lastEventId'), '5.abcdefgh.abcdefg.6')
  t.strictSame(url.searchParams.getAll('merchantId'), ['TEST'])
})

t.test('a service without cursors is come back to, too', async (t) => {
  const staged = await open(t, { url: `${URL_}?lastEventId=kept` })
  staged.stream.end()
  await staged.listener.errors.count(1)
  const second = await begins(t, staged, 2, 2_000, 2_000)
  second.open('data: {"type":"connected"}\n\nevent: custom\ndata: {}\n\n')
  await staged.listener.opened(2)
  await staged.listener.heard.count(1)
})

t.test('a cursor in the URL is where to begin, until there is another one', async (t) => {
  const staged = await open(t, { url: `${URL_}?lastEventId=kept` })
  t.equal(staged.stream.url.searchParams.get('lastEventId'), 'kept')
  staged.stream.end()
  await staged.listener.errors.count(1)
  const { url } = await begins(t, staged, 2, 2_000, 2_000)
  t.strictSame(url.searchParams.getAll('lastEventId'), ['1.-.abcdefg.1'])
})

t.test('silence', async (t) => {
  t.test('of 2.5 heartbeats is the end of a connection; it is back at once', async (t) => {
    const { stream, listener, script, clock } = await open(t)
    for (let i = 0; i < 5; i++) {
      await clock.tickAsync(30_000)
      stream.send(': heartbeat\nid: 9.-.abcdefg.9\n\n')
      await new Promise(setImmediate)
    }
    t.equal(listener.client.state, 'open', 'a comment is no silence')
    await clock.tickAsync(SILENCE_MS - 1)
    t.equal(listener.client.state, 'open')
    await clock.tickAsync(SILENCE_MS / 10 + 2)
    t.match(listener.errors.all, [{ code: 'SILENT' }])
    t.equal(stream.init.signal.aborted, true)
    const again = await script.nth(2)
    t.equal(again.url.searchParams.get('lastEventId'), '9.-.abcdefg.9')
  })

  t.test('is of 2.5 such heartbeats as are told', async (t) => {
    const { listener, clock } = await open(t, { heartbeatMs: 60_000 })
    await clock.tickAsync(149_000)
    t.equal(listener.client.state, 'open')
    await clock.tickAsync(17_000)
    t.match(listener.errors.all, [{ code: 'SILENT' }])
  })

  t.test('of a service that does not answer ends an attempt, which is not repeated at once', async (t) => {
    const staged = stage(t)
    await staged.script.nth(1)
    await staged.clock.tickAsync(SILENCE_MS * 1.1 + 1)
    t.match(staged.listener.errors.all, [{ code: 'SILENT' }])
    await begins(t, staged, 2, 0, jitterOf(1))
  })

  t.test('that was a sleep of the machine is noticed soon after it wakes', async (t) => {
    const { listener, script, clock } = await open(t)
    await clock.tickAsync(1_000)
    // Timers stand still meanwhile.
    clock.setSystemTime(Date.now() + 3_600_000)
    await clock.tickAsync(SILENCE_MS / 10)
    t.match(listener.errors.all, [{ code: 'SILENT' }])
    t.equal((await script.nth(2)).url.searchParams.get('lastEventId'), '1.-.abcdefg.1')
  })

  t.test('is not what a clock that is set back makes of it', async (t) => {
    const { listener, clock } = await open(t)
    clock.setSystemTime(Date.now() - 3_600_000)
    await clock.tickAsync(SILENCE_MS)
    t.equal(listener.client.state, 'open')
    await clock.tickAsync(SILENCE_MS / 5 + 1)
    t.match(listener.errors.all, [{ code: 'SILENT' }], 'but it is not overheard for that')
  })
})

t.test('what is worth a look at the connection', async (t) => {
  async function waiting (t: Test) {
    const staged = await open(t)
    staged.stream.fail()
    await staged.listener.errors.count(1)
    return staged
  }

  t.test('the network is back: at once, from a wait, and from a stream that may lead nowhere', async (t) => {
    const { window } = page(t)
    const { script, listener } = await waiting(t)
    t.equal(script.asked.all.length, 1)
    window.dispatchEvent(new Event('online'))
    const second = await script.nth(2)
    t.equal(second.url.searchParams.get('lastEventId'), '1.-.abcdefg.1')
    second.greet()
    await listener.opened(2)
    window.dispatchEvent(new Event('online'))
    t.equal(second.init.signal.aborted, true)
    t.equal(listener.client.state, 'reconnecting')
    await script.nth(3)
  })

  t.test('the page is seen again: at once, from a wait', async (t) => {
    const { document } = page(t)
    const { script, listener } = await waiting(t)
    document.dispatchEvent(new Event('visibilitychange'))
    t.equal(listener.client.state, 'reconnecting')
    t.equal(script.asked.all.length, 1, 'not when it is hidden')
    document.visibilityState = 'visible'
    document.dispatchEvent(new Event('visibilitychange'))
    ;(await script.nth(2)).greet()
    await listener.opened(2)
    document.dispatchEvent(new Event('visibilitychange'))
    t.equal(listener.client.state, 'open', 'and a stream that is alive goes on')
  })

  t.test('the page is seen again after a sleep: at once', async (t) => {
    const { document } = page(t)
    const { script, listener, clock } = await open(t)
    clock.setSystemTime(Date.now() + 3_600_000)
    document.visibilityState = 'visible'
    document.dispatchEvent(new Event('visibilitychange'))
    t.match(listener.errors.all, [{ code: 'SILENT' }])
    await script.nth(2)
  })

  t.test('what the service asked to wait for is waited for nevertheless', async (t) => {
    const { window, document } = page(t)
    document.visibilityState = 'visible'
    const staged = stage(t)
    ;(await staged.script.nth(1)).refuse(429, { 'retry-after': '20' })
    await staged.listener.errors.count(1)
    window.dispatchEvent(new Event('online'))
    document.dispatchEvent(new Event('visibilitychange'))
    const second = await begins(t, staged, 2, 20_000, 20_000 + jitterOf(1))
    second.open('retry: 9000\n\nevent: close\ndata: {"type":"close","reason":"over_capacity","reconnect":true}\n\n')
    await staged.listener.heard.count(1)
    window.dispatchEvent(new Event('online'))
    await begins(t, staged, 3, 9_000, 9_000 + jitterOf(2))
  })

  t.test('but not for longer, if a page was asleep meanwhile', async (t) => {
    const { document } = page(t)
    document.visibilityState = 'visible'
    const { script, listener, clock } = stage(t)
    ;(await script.nth(1)).refuse(429, { 'retry-after': '20' })
    await listener.errors.count(1)
    clock.setSystemTime(Date.now() + 60_000)
    document.dispatchEvent(new Event('visibilitychange'))
    await script.nth(2)
  })

  t.test('once it is closed, nothing is', async (t) => {
    const { window, document } = page(t)
    document.visibilityState = 'visible'
    const { script, listener, clock } = await waiting(t)
    listener.client.close()
    window.dispatchEvent(new Event('online'))
    document.dispatchEvent(new Event('visibilitychange'))
    await clock.tickAsync(100_000)
    t.equal(script.asked.all.length, 1)
    t.equal(clock.countTimers(), 0)
  })
})

t.test('closed', async (t) => {
  t.test('in the middle of what has come: nothing of the rest is handed out', async (t) => {
    const { stream, listener, clock } = await open(t)
    listener.client.on('one', () => { listener.client.close() })
    stream.send('id: 2.abcdefgh.abcdefg\nevent: one\ndata: {}\n\nretry: 1\n\nid: 3.abcdefgh.abcdefg\nevent: two\ndata: {}\n\n')
    await listener.states.first((state) => state === 'closed')
    await new Promise(setImmediate)
    t.strictSame(listener.story, ['one'])
    t.equal(listener.client.lastEventId, '2.abcdefgh.abcdefg')
    t.equal(clock.countTimers(), 0)
  })

  t.test('by who is told that the service says farewell', async (t) => {
    const { stream, listener, clock } = await open(t)
    listener.client.on('close', () => { listener.client.close() })
    stream.send('event: close\ndata: {"type":"close","reason":"draining","reconnect":true}\n\n')
    await listener.states.first((state) => state === 'closed')
    t.equal(clock.countTimers(), 0)
  })

  t.test('by who is told of a failure', async (t) => {
    const { stream, listener, clock } = await open(t)
    listener.client.on('connection_error', () => { listener.client.close() })
    stream.fail()
    await listener.states.first((state) => state === 'closed')
    t.equal(clock.countTimers(), 0)
  })

  t.test('by who is told that it begins an attempt', async (t) => {
    const { listener, script, clock } = await open(t)
    listener.client.subscribe(() => { if (listener.client.state === 'reconnecting') listener.client.close() })
    listener.client.reconnect()
    await new Promise(setImmediate)
    t.equal(listener.client.state, 'closed')
    t.equal(script.asked.all.length, 1)
    t.equal(clock.countTimers(), 0)
  })

  t.test('while an answer is awaited', async (t) => {
    const { listener, script, clock } = stage(t)
    const { init } = await script.nth(1)
    listener.client.close()
    t.equal(init.signal.aborted, true)
    await new Promise(setImmediate)
    t.strictSame([listener.errors.all, clock.countTimers()], [[], 0])
    listener.client.close()
    t.strictSame(listener.states.all, ['connecting', 'closed'], 'twice is once')
  })

  t.test('it can be opened anew, and goes on where it was', async (t) => {
    const { listener, script } = await open(t)
    listener.client.close()
    listener.client.reconnect()
    const second = await script.nth(2)
    t.equal(second.url.searchParams.get('lastEventId'), '1.-.abcdefg.1')
    second.greet()
    await listener.opened(2)
    t.strictSame(listener.states.all, ['connecting', 'open', 'closed', 'connecting', 'open'])
  })
})

t.test('listeners', async (t) => {
  const custom = 'event: custom\ndata: {"type":"custom"}\n\n'

  t.test('that throw stop nothing, and are reported', async (t) => {
    const errors = reported(t)
    const { stream, listener } = await open(t)
    const thrown = new Error('a bug')
    const calls: string[] = []
    listener.client.on('custom', () => { throw thrown })
    listener.client.on('custom', (data) => { calls.push(`on: ${String(data.type)}`) })
    listener.client.subscribe(() => { throw thrown })
    stream.send(`${custom}event: close\ndata: {"type":"close","reason":"draining","reconnect":true}\n\n`)
    await listener.heard.count(2)
    t.strictSame(calls, ['on: custom'])
    t.strictSame(errors, [thrown, thrown])
    t.equal(listener.client.state, 'reconnecting')
  })

  t.test('that throw, where nothing else takes the report, are uncaught exceptions', async (t) => {
    const { stream, listener } = await open(t)
    const thrown = new Error('a bug')
    listener.client.on('custom', () => { throw thrown })
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    t.teardown(() => { for (const each of listeners) process.on('uncaughtException', each) })
    const uncaught = once(process, 'uncaughtException')
    stream.send(custom)
    t.equal((await uncaught)[0], thrown)
  })

  t.test('are told until they are taken out, each for itself', async (t) => {
    const { stream, listener } = await open(t)
    const calls: string[] = []
    const same = () => { calls.push('same') }
    const stop = listener.client.on('custom', same)
    listener.client.on('custom', same)
    const stopOnce = listener.client.on('custom', () => {
      calls.push('once')
      stopOnce()
    })
    stream.send(custom)
    await listener.heard.count(1)
    stop()
    stop()
    stream.send(custom)
    await listener.heard.count(2)
    t.strictSame(calls, ['same', 'same', 'once', 'same'])
    const unsubscribe = listener.client.subscribe(() => { calls.push('changed') })
    unsubscribe()
    listener.client.close()
    t.equal(calls.length, 4)
  })

  t.test('to connection errors and to all are not told of what is published by such names', async (t) => {
    const { stream, listener } = await open(t)
    stream.send('event: connection_error\ndata: {"type":"connection_error"}\n\nevent: *\ndata: {"a":1}\n\ndata: {"type":"message"}\n\n')
    await listener.heard.count(3)
    t.strictSame(listener.story, ['connection_error', '*', 'message'])
    t.strictSame(listener.errors.all, [])
  })
})

t.test('what is no JSON is reported, and stops nothing', async (t) => {
  const errors = reported(t)
  const { stream, listener } = await open(t)
  stream.send('event: custom\ndata: {\n\ndata: null\n\nevent: gap\ndata: null\n\nevent: close\ndata: null\n\n')
  await listener.heard.count(3)
  t.strictSame(listener.story, ['message', 'gap', 'close'])
  t.match(errors[0], { name: 'SyntaxError' })
})
