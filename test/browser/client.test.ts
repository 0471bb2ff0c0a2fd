import { build } from 'esbuild'
import t, { type Test } from 'tap'
import { numbered } from '../helpers/listener.js'
import { Recorder } from '../helpers/recorder.js'
import { Service } from '../helpers/service.js'
import { inSeconds, mint } from '../helpers/tokens.js'
import { Page, skip } from './chromium.js'

/*
 * Our own client in a page: what a browser does with its requests, and tells it of the network.
 */

const STREAM = '/api/realtime/events'
const SECRET = 's'.repeat(32)

const { outputFiles: [bundle] } = await build({ entryPoints: ['dist/client/index.js'], bundle: true, format: 'esm', platform: 'browser', write: false })

/** Has a page listen by our own client, and report all that it says. */
async function listen (page: Page, options: string): Promise<void> {
  await page.run(`${bundle!.text}
    const client = createRealtimeClient(${options})
    const tell = (type, data) => { globalThis.report({ type, data: JSON.stringify(data), lastEventId: client.lastEventId ?? '' }) }
    client.subscribe(() => { tell('state', client.state) })
    client.on('*', (data) => { tell('event', data) })
    client.on('gap', (data) => { tell('gap', data) })
    client.on('connection_error', ({ code, status }) => { tell('connection_error', [code, status]) })`)
}

async function heard (page: Page, type: string, data: unknown, times = 1): Promise<void> {
  await page.events.count(times, (event) => event.type === type && event.data === JSON.stringify(data))
}

/** What is published goes on while the page is away, and comes once it is back. */
async function goesOn (t: Test, service: Service, page: Page, transport: 'fetch' | 'eventsource'): Promise<void> {
  const recorder = await Recorder.start(t, service.port)
  await listen(page, `{ url: '${recorder.url}${STREAM}', merchantId: '${transport}', transport: '${transport}' }`)
  await heard(page, 'state', 'open')
  await service.publish(transport, { type: 'stage', n: 1, stage: 's', poId: '1', status: 'started', message: '', timestamp: 1 })
  await page.events.first(({ type }) => type === 'event')
  recorder.cut()
  await page.events.first(({ type }) => type === 'connection_error')
  await service.publish(transport, { type: 'stage', n: 2, stage: 's', poId: '1', status: 'completed', message: '', timestamp: 2 })
  recorder.mend(service.port)
  await page.events.count(2, ({ type }) => type === 'event')
  t.strictSame(page.events.all.filter(({ type }) => type === 'event').map(({ data }) => (JSON.parse(data) as { n: number }).n), [1, 2])
  t.notOk(page.events.all.some(({ type }) => type === 'gap'))
  const preflights = recorder.exchanges.all.filter(({ request }) => request.startsWith('OPTIONS'))
  t.equal(preflights.length, 0, 'nothing of what it sends needs a preflight, though it is another origin')
}

t.test('cut off, it goes on where it was, by either transport', { skip }, async (t) => {
  const service = await Service.start(t, { RETRY_MS: '100' })
  for (const transport of ['fetch', 'eventsource'] as const) {
    t.test(transport, async (t) => {
      await goesOn(t, service, await Page.open(t, `${service.url}/healthz`), transport)
    })
  }
})

t.test('a page of another origin has its tokens sent, and is told why they are refused', { skip }, async (t) => {
  const elsewhere = await Service.start(t)
  const service = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: SECRET, CORS_ORIGINS: elsewhere.url })
  const page = await Page.open(t, `${elsewhere.url}/healthz`)
  const tokens = [await mint({ merchantId: 'TEST', exp: inSeconds(-60) }, SECRET), await mint({ merchantId: 'TEST', exp: inSeconds(60) }, SECRET)]
  await listen(page, `{ url: '${service.url}${STREAM}', getToken: (() => { const tokens = ${JSON.stringify(tokens)}; return () => tokens.shift() })() }`)
  await heard(page, 'state', 'open')
  t.ok(page.events.all.some(({ type, data }) => type === 'connection_error' && data === '["RTF_TOKEN_EXPIRED",401]'))
})

t.test('when the network is back, so is it, without a wait', { skip }, async (t) => {
  // Would it wait, it would do so for longer than this test may take.
  const service = await Service.start(t, { RETRY_MS: '60000' })
  const page = await Page.open(t, `${service.url}/healthz`)
  await listen(page, `{ url: '${service.url}${STREAM}', merchantId: 'TEST' }`)
  await heard(page, 'state', 'open')
  await page.setOffline(true)
  await service.publish('TEST', numbered(1))
  await page.setOffline(false)
  await heard(page, 'state', 'open', 2)
  await service.publish('TEST', numbered(2))
  await heard(page, 'event', numbered(2))
  t.strictSame(page.events.all.filter(({ type }) => type === 'event').map(({ data }) => (JSON.parse(data) as { n: number }).n), [1, 2])
})
