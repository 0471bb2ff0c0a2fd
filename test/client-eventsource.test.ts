import { EventSource } from 'eventsource'
import t, { type Test } from 'tap'
import { createRealtimeClient, eventSourceTransport, type RealtimeOptions, type SourceEvent } from '../src/client/index.js'
import { Balancer } from './helpers/balancer.js'
import { Listener, numbered } from './helpers/listener.js'
import { Proxy } from './helpers/proxy.js'
import { Service, progress } from './helpers/service.js'

/*
 * Our own client by an EventSource: that of the `eventsource` package, which is made as browsers have theirs.
 */

const service = await Service.start(t, { RETRY_MS: '100', HEARTBEAT_MS: '100' })
const transport = eventSourceTransport(EventSource)

const open = async (t: Test, merchantId: string, options: Partial<RealtimeOptions> = {}) => Listener.open(t, service, { transport, merchantId, ...options })

t.test('the platform’s own, by name', async (t) => {
  const global = globalThis as { EventSource?: unknown }
  global.EventSource = EventSource
  t.teardown(() => { delete global.EventSource })
  const listener = await open(t, 'global', { transport: 'eventsource' })
  await service.publish('global', progress(1))
  await listener.heard.first(({ name }) => name === 'progress')
})

t.test('where there is none, none can be had', async (t) => {
  t.throws(() => createRealtimeClient({ url: service.url, transport: 'eventsource' }), new TypeError('there is no EventSource here'))
})

t.test('what is published, a published error among it, by the names that are listened to', async (t) => {
  const listener = await open(t, 'names')
  const late: unknown[] = []
  const error = { type: 'error', stage: 's', poId: '1', error: 'e', timestamp: 1 }
  await service.publish('names', [progress(1), error, numbered(1), progress(2)])
  await listener.heard.count(3)
  t.strictSame(listener.story, ['progress', 'error', 'progress'], 'a name that nobody listens to is not heard')
  t.match(listener.heard.all[1], { name: 'error', data: error, raw: JSON.stringify(error), id: /^\d+\.[\w-]{8}\./ })
  t.strictSame(listener.errors.all, [])
  listener.client.on('numbered', ({ n }) => { late.push(n) })
  listener.client.on('numbered', ({ n }) => { late.push(n) })
  await service.publish('names', [numbered(2), progress(3)])
  await listener.heard.count(5)
  t.strictSame(late, [2, 2], 'from when somebody does, it is')
  t.strictSame(listener.story, ['progress', 'error', 'progress', 2, 'progress'])
})

t.test('cut off, it comes back with the cursor of the last event that it heard', async (t) => {
  const balancer = await Balancer.start(t, [service])
  await balancer.dealsTo(service)
  const listener = await Listener.open(t, balancer, { transport, merchantId: 'cut' })
  listener.client.on('numbered', () => {})
  await service.publish('cut', numbered(1))
  const { id } = await listener.number(1)
  t.equal(listener.client.lastEventId, id)
  balancer.cut()
  await listener.errors.count(1)
  t.match(listener.errors.all, [{ code: 'CONNECTION_LOST', status: undefined }])
  await service.publish('cut', numbered(2))
  balancer.mend()
  await listener.number(2)
  t.strictSame(listener.story, [1, 2])
})

t.test('a gap, and a farewell', async (t) => {
  const service = await Service.start(t, { MAX_CONNECTION_AGE_S: '1' })
  const listener = await Listener.open(t, service, { transport, url: `${service.url}/api/realtime/events?lastEventId=x` })
  await listener.opened(2)
  t.strictSame(listener.story, ['gap: unknown_cursor', 'close: max_age'])
  t.strictSame(listener.errors.all, [])
})

t.test('whatever is refused heals, for all that it can see', async (t) => {
  const listener = new Listener(t, { url: `${service.url}/api/realtime/events`, merchantId: 'not a merchant', transport })
  await listener.errors.count(2)
  t.match(listener.errors.all, Array(2).fill({ code: 'REFUSED', status: undefined }))
  t.equal(listener.client.state, 'reconnecting')
})

t.test('silence is no sign of death, for heartbeats are not shown; but no answer at all is', async (t) => {
  // An answer gets 2.5 s, on a machine that may be busy; the silence afterwards is longer.
  const listener = await open(t, 'silence', { heartbeatMs: 1_000 })
  await new Promise((resolve) => { setTimeout(resolve, 3_000) })
  t.strictSame(listener.states.all, ['connecting', 'open'])

  const proxy = await Proxy.start(t, 1)
  const unanswered = new Listener(t, { url: `http://127.0.0.1:${proxy.port}`, transport, heartbeatMs: 20 })
  await unanswered.errors.count(1)
})

t.test('closed, it is closed', async (t) => {
  const listener = await open(t, 'closed')
  listener.client.close()
  await service.log.first(({ msg, merchantId }) => msg === 'stream closed' && merchantId === 'closed')
  t.strictSame(listener.states.all, ['connecting', 'open', 'closed'])
})

t.test('one that is made by hand', async (t) => {
  const sources: Recorded[] = []
  class Recorded {
    readonly readyState = 0
    readonly told: [url: string, withCredentials: boolean]
    readonly listeners = new Map<string, (event: SourceEvent) => void>()

    constructor (url: string, { withCredentials }: { withCredentials: boolean }) {
      this.told = [url, withCredentials]
      sources.push(this)
    }

    addEventListener (name: string, listener: (event: SourceEvent) => void): void {
      this.listeners.set(name, listener)
    }

    dispatch (event: SourceEvent): void {
      this.listeners.get(event.type)!(event)
    }

    close (): void {}
  }

  t.test('is told to send cookies along if they are to', async (t) => {
    for (const credentials of [undefined, 'include', 'omit'] as const) {
      const listener = new Listener(t, { url: 'http://a.test/', credentials, getTicket: () => 'ticket', transport: eventSourceTransport(Recorded) })
      t.equal(listener.client.state, 'connecting')
    }
    await new Promise(setImmediate)
    t.strictSame(sources.map(({ told }) => told), [false, true, false].map((withCredentials) => ['http://a.test/?ticket=ticket', withCredentials]))
  })

  t.test('need not have ids, nor data', async (t) => {
    const listener = new Listener(t, { url: 'http://a.test/', transport: eventSourceTransport(Recorded) })
    await new Promise(setImmediate)
    const source = sources.at(-1)!
    source.dispatch({ type: 'message', data: '{"type":"connected"}', lastEventId: '' })
    t.equal(listener.client.state, 'open')
    source.dispatch({ type: 'message', data: null })
    source.dispatch({ type: 'progress', data: '{}', lastEventId: null })
    source.dispatch({ type: 'progress', data: '{}', lastEventId: '1' })
    source.dispatch({ type: 'progress', data: '{}', lastEventId: '1' })
    t.strictSame(listener.heard.all.map(({ id }) => id), [undefined, '1', undefined])
    t.equal(listener.client.lastEventId, '1')
  })
})
