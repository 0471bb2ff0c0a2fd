import { StrictMode, useEffect } from 'react'
import t, { type Test } from 'tap'
import { RealtimeProvider, useOrders, useProgress, useSSEUpdates, type Progress, type RealtimeProviderProps, type Updates, type UpdatesOptions } from '../src/client/react/index.js'
import { openPage } from './helpers/dom.js'
import { ScriptedTransport } from './helpers/scripted-transport.js'

const URL = 'https://realtime.example/api/realtime/events'

/** A page with one component inside a provider, which shows what the hook returns; `latest` is that. */
async function setup (t: Test, options: { frames?: boolean } = {}) {
  const page = await openPage(t, options)
  const transport = new ScriptedTransport()
  const rendered: Updates[] = []
  function Show (props: UpdatesOptions) {
    rendered.push(useSSEUpdates(props))
    return null
  }
  const provide = (props: Partial<RealtimeProviderProps> = {}, children = <Show />) =>
    <RealtimeProvider url={URL} merchantId='TEST' transport={transport} {...props}>{children}</RealtimeProvider>
  /** Open, and shown. */
  const opened = async (node = provide()) => {
    await page.render(node)
    transport.last.greet()
    await page.frame()
  }
  return { page, transport, rendered, Show, provide, opened, get latest () { return rendered.at(-1)! } }
}

const progress = (n: number, more: Record<string, unknown> = {}) => ({ type: 'progress', poId: 'po-1', progress: n, message: '', ...more })

t.test('what the hook returns', async (t) => {
  const s = await setup(t)
  await s.page.render(s.provide())
  t.match(s.latest, { isConnected: false, state: 'connecting', error: undefined })
  t.strictSame([s.latest.events, s.latest.gaps], [[], []])
  t.equal(s.transport.last.request.url, `${URL}?merchantId=TEST`)
  s.transport.last.greet()
  await s.page.frame()
  t.match(s.latest, { isConnected: true, state: 'open' })

  s.transport.last.send('progress', progress(1))
  s.transport.last.send('invoice', { n: 2 })
  await s.page.frame()
  t.strictSame(s.latest.events, [{ type: 'invoice', n: 2 }, progress(1)], 'the newest first, each with its name')

  s.transport.last.send('error', { type: 'error', poId: 'po-1', stage: 'saving', error: 'no paper' })
  await s.page.frame()
  t.match(s.latest, { isConnected: true, error: undefined, events: { length: 3 } }, 'a published error is an event')

  s.transport.last.send('gap', { type: 'gap', reason: 'redis_outage', from: 1, to: 2 })
  await s.page.frame()
  t.strictSame(s.latest.gaps, [{ type: 'gap', reason: 'redis_outage', from: 1, to: 2 }])
  t.equal(s.latest.events.length, 3, 'a gap is no event')

  s.transport.last.end()
  await s.page.frame()
  t.match(s.latest, { isConnected: false, state: 'reconnecting', error: { code: 'CONNECTION_LOST' }, events: { length: 3 } })
  s.latest.reconnect()
  await s.page.pass(0)
  t.equal(s.transport.last.request.url, `${URL}?merchantId=TEST&lastEventId=id-4`)
  s.transport.last.greet()
  await s.page.frame()
  t.match(s.latest, { isConnected: true, error: undefined })

  s.latest.clearEvents()
  await s.page.frame()
  t.strictSame([s.latest.events, s.latest.gaps], [[], []])
  const { length } = s.rendered
  s.latest.clearEvents()
  await s.page.frame()
  t.equal(s.rendered.length, length, 'what changes nothing renders nothing')

  s.transport.last.end('RTF_FORBIDDEN', 403)
  await s.page.frame()
  t.match(s.latest, { isConnected: false, state: 'closed', error: { code: 'RTF_FORBIDDEN', status: 403 } })
})

t.test('however fast events come', async (t) => {
  t.test('it renders once per frame, and knows the last 100', async (t) => {
    const s = await setup(t)
    const told: unknown[] = []
    await s.opened(s.provide({ onEvent: (event) => { told.push(event) } }))
    for (let frame = 1; frame <= 3; frame++) {
      const { length } = s.rendered
      for (let i = 0; i < 1_000; i++) s.transport.last.send('progress', progress(i % 100, { n: frame * 1_000 + i }))
      t.equal(s.rendered.length, length, 'nothing before the frame')
      await s.page.frame()
      t.equal(s.rendered.length, length + 1)
      t.strictSame(s.latest.events.map((event) => (event as unknown as { n: number }).n), Array.from({ length: 100 }, (_, i) => frame * 1_000 + 999 - i))
    }
    t.equal(told.length, 3_000, 'while onEvent is told of each')
  })

  t.test('a page that has no frames, as it is hidden, is shown them once a second', async (t) => {
    const s = await setup(t)
    await s.opened()
    ;(globalThis as Record<string, unknown>).requestAnimationFrame = () => setTimeout(() => {}, 1e9)
    s.transport.last.send('progress', progress(1))
    await s.page.pass(999)
    t.equal(s.latest.events.length, 0)
    await s.page.pass(1)
    t.equal(s.latest.events.length, 1)
  })

  t.test('where there is nothing like frames, it does not need them', async (t) => {
    const s = await setup(t, { frames: false })
    await s.page.render(s.provide())
    s.transport.last.greet()
    await s.page.pass(16)
    t.equal(s.latest.isConnected, true)
  })
})

t.test('a connection is as long as the provider is mounted', async (t) => {
  t.test('and nothing is left of it', async (t) => {
    const s = await setup(t)
    await s.opened()
    s.transport.last.send('progress', progress(1, { etaMs: 60_000 }))
    await s.page.unmount()
    t.equal(s.transport.open.length, 0)
    t.equal(s.page.clock.countTimers(), 0)
  })

  t.test('there is one in StrictMode', async (t) => {
    const s = await setup(t)
    let asked = 0
    await s.opened(<StrictMode>{s.provide({ getToken: () => `token ${++asked}` })}</StrictMode>)
    t.equal(s.transport.streams.length, 1)
    t.equal(s.latest.isConnected, true)
    s.transport.last.send('progress', progress(1))
    await s.page.frame()
    t.equal(s.latest.events.length, 1)
    await s.page.unmount()
    t.equal(s.transport.open.length, 0)
  })

  t.test('another one for options that say something else, and not for other functions', async (t) => {
    const s = await setup(t)
    await s.opened(s.provide({ topics: ['progress'], getToken: () => 'one' }))
    t.match(s.transport.last.request, { url: `${URL}?merchantId=TEST&topics=progress`, token: 'one' })
    s.transport.last.send('progress', progress(1))
    await s.page.frame()
    await s.page.render(s.provide({ topics: ['progress'], getToken: async () => 'two' }))
    t.equal(s.transport.streams.length, 1, 'the same topics in another array, another function')
    s.latest.reconnect()
    await s.page.pass(0)
    t.equal(s.transport.last.request.token, 'two', 'the latest function is asked')
    await s.page.render(s.provide({ merchantId: 'OTHER', getTicket: () => 'three' }))
    t.equal(s.transport.last.request.url, `${URL}?merchantId=OTHER&ticket=three`)
    t.equal(s.transport.open.length, 1)
    t.strictSame(s.latest.events, [], 'of the other merchant nothing is left')
  })

  t.test('what is hidden and shown again goes on where it was', async (t) => {
    const s = await setup(t)
    const { Activity } = await import('react')
    await s.opened(<Activity mode='visible'>{s.provide()}</Activity>)
    s.transport.last.send('progress', progress(1))
    await s.page.render(<Activity mode='hidden'>{s.provide()}</Activity>)
    t.equal(s.transport.open.length, 0)
    await s.page.render(<Activity mode='visible'>{s.provide()}</Activity>)
    t.equal(s.transport.last.request.url, `${URL}?merchantId=TEST&lastEventId=id-1`)
    await s.page.frame()
    t.equal(s.latest.events.length, 1)
  })

  t.test('options that cannot work are an error of the component', async (t) => {
    const s = await setup(t)
    function Eager () {
      const { clearEvents } = useSSEUpdates()
      useEffect(clearEvents)
      return null
    }
    await t.rejects(s.page.render(s.provide({ getToken: () => '', getTicket: () => '' }, <Eager />)), /not both/)
    await s.page.frame()
    t.equal(s.page.clock.countTimers(), 0, 'and nothing is left of it, whatever was done before')
  })
})

t.test('the hook alone', async (t) => {
  const s = await setup(t)
  await s.opened(<s.Show url={URL} merchantId='ALONE' transport={s.transport} />)
  t.equal(s.latest.isConnected, true)
  t.equal(s.transport.last.request.url, `${URL}?merchantId=ALONE`)
  await s.page.render(s.provide({}, <s.Show url={URL} merchantId='ALONE' transport={s.transport} />))
  t.equal(s.transport.open.length, 2, 'inside of a provider it has a connection of its own, too')
  await s.page.render(null)
  t.equal(s.transport.open.length, 0)
})

t.test('outside of a provider, hooks say what they miss', async (t) => {
  const s = await setup(t)
  await t.rejects(s.page.render(<s.Show />), { message: 'there is neither a url nor a RealtimeProvider around this' })
  const One = () => useProgress('po-1').progress
  await t.rejects(s.page.render(<One />), { message: 'there is no RealtimeProvider around this' })
})

t.test('the latest functions are told of events and gaps', async (t) => {
  const s = await setup(t)
  const told: string[] = []
  const to = (who: string) => ({ onEvent: ({ type }: { type: string }) => { told.push(`${who} ${type}`) }, onGap: ({ type }: { type: string }) => { told.push(`${who} ${type}`) } })
  const gap = { type: 'gap', reason: 'unknown_cursor', from: 0, to: 2 }
  await s.opened(s.provide(to('a'), <s.Show {...to('b')} />))
  s.transport.last.send('gap', gap)
  await s.page.render(s.provide(to('c'), <s.Show />))
  s.transport.last.send('progress', progress(1))
  s.transport.last.send('gap', gap)
  t.strictSame(told, ['b gap', 'a gap', 'c progress', 'c gap'])
})

t.test('useProgress', async (t) => {
  const s = await setup(t)
  const seen: Progress[] = []
  function One () {
    seen.push(useProgress('po-1'))
    return null
  }
  await s.opened(s.provide({}, <One />))
  const latest = () => {
    const { order, etaMs, ...rest } = seen.at(-1)!
    return { ...rest, etaMs, known: order !== undefined }
  }
  t.strictSame(latest(), { progress: 0, message: undefined, stage: undefined, etaMs: undefined, done: false, failed: false, error: undefined, known: false })
  t.equal(seen.length, 1, 'the state of the connection is none of its business')

  s.transport.last.send('stage', { type: 'stage', poId: 'po-1', stage: 'saving', status: 'started', message: 'Saving' })
  s.transport.last.send('progress', progress(40, { message: 'half', etaMs: 2_500 }))
  await s.page.frame()
  t.strictSame(latest(), { progress: 40, message: 'half', stage: 'saving', etaMs: 2_484, done: false, failed: false, error: undefined, known: true })

  const { length } = seen
  s.transport.last.send('progress', progress(90, { poId: 'po-2' }))
  await s.page.frame()
  t.equal(seen.length, length, 'nor are other orders')

  const left: Array<number | undefined> = []
  const before = seen.length
  for (let i = 0; i < 5; i++) {
    await s.page.pass(1_000)
    left.push(latest().etaMs)
  }
  t.strictSame(left.map((ms) => Math.ceil(ms! / 500)), [3, 1, 0, 0, 0], 'it counts down, to 0 and not below')
  t.equal(seen.length, before + 3, 'once a second, as long as there is something to count')

  s.transport.last.send('error', { type: 'error', poId: 'po-1', stage: 'saving', error: 'no paper' })
  await s.page.frame()
  t.match(latest(), { done: false, failed: true, error: 'no paper', etaMs: undefined })
  s.transport.last.send('progress', progress(100))
  await s.page.frame()
  t.match(latest(), { done: true, failed: false, error: undefined })
})

t.test('useOrders has the orders, the newest first', async (t) => {
  const s = await setup(t)
  const seen: string[][] = []
  function All () {
    seen.push(useOrders().map(({ poId }) => poId))
    return null
  }
  await s.opened(s.provide({}, <All />))
  s.transport.last.send('progress', progress(1))
  s.transport.last.send('progress', progress(1, { poId: 'po-2' }))
  s.transport.last.send('progress', progress(2))
  await s.page.frame()
  t.strictSame(seen, [[], ['po-2', 'po-1']])
})

t.test('several count down with one timer', async (t) => {
  const s = await setup(t)
  const Left = ({ poId }: { poId: string }) => <i>{useProgress(poId).etaMs} </i>
  await s.opened(s.provide({}, <p><Left poId='po-1' /><Left poId='po-2' /></p>))
  const { clock } = s.page
  const before = clock.countTimers()
  for (const poId of ['po-1', 'po-2']) s.transport.last.send('progress', progress(1, { poId, etaMs: 9_000 }))
  await s.page.frame()
  t.equal(clock.countTimers(), before + 1)
  s.transport.last.send('progress', progress(100))
  await s.page.frame()
  t.equal(clock.countTimers(), before + 1)
  t.equal(s.page.text('p'), '8984')
  s.transport.last.send('progress', progress(100, { poId: 'po-2' }))
  await s.page.frame()
  t.equal(clock.countTimers(), before)
})
