import { readFile } from 'node:fs/promises'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import type { AxeResults } from 'axe-core'
import t, { type Test } from 'tap'
import { RealtimeProvider, RealTimeFeedback } from '../../src/client/react/index.js'
import { Recorder } from '../helpers/recorder.js'
import { Service } from '../helpers/service.js'
import { launch, skip } from './chromium.js'
import type { App, FrameCount, MountOptions } from './react-page.js'
import { startSite, type ReactVersion, type SiteOptions } from './react-site.js'

/*
 * The hooks and the component in a real browser, on a page of another origin with a strict Content-Security-Policy,
 * against the real service. What they say and do apart from that is tested in test/react-*.test.tsx.
 */

/* What there is in the page. */
declare const app: App
declare const axe: { run (): Promise<AxeResults> }
declare const document: {
  readonly documentElement: { readonly scrollWidth: number, readonly clientWidth: number, readonly style: { fontSize: string } }
  readonly activeElement: Element & { getAttribute (name: string): string | null }
  querySelector (selector: string): { getBoundingClientRect (): { readonly width: number } }
}
declare const getComputedStyle: (element: unknown) => Readonly<Record<string, string>>

/* One of each for all tests, as it takes a while to start them. */
let browser: Browser
let service: Service
const sites = new Map<string, string>()
t.before(async () => {
  if (skip !== false) return
  browser = await launch()
  service = await Service.start(t, { RETRY_MS: '100', PUBLISH_RATE_PER_SECOND: '0' })
  for (const version of [18, 19] as const) {
    for (const build of ['development', 'profiling'] as const) sites.set(`${build} ${version}`, await startSite(t, { version, build }))
  }
})
t.teardown(async () => browser?.close())
let merchants = 0

interface Setup {
  readonly version?: ReactVersion
  readonly build?: SiteOptions['build']
  readonly site?: string
  readonly context?: BrowserContextOptions
}

/** A page that is not yet connected to the service, where nobody else is, and a merchant of its own. */
async function setup (t: Test, { version = 19, build = 'development', site = sites.get(`${build} ${version}`)!, context }: Setup = {}) {
  const tab = await browser.newContext(context)
  t.teardown(async () => {
    await tab.close()
    await remaining()
  })
  const page = await tab.newPage()
  /** What the browser, or React, complained of. */
  const complaints: string[] = []
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()) })
  page.on('pageerror', (error) => { complaints.push(error.message) })
  await page.goto(site)
  const merchantId = `M${++merchants}`
  const options = (more: Partial<MountOptions> = {}): MountOptions => ({ url: `${service.url}/api/realtime/events`, merchantId, ...more })
  const mount = async (more: Partial<MountOptions> = {}) => page.evaluate((options) => { app.mount(options) }, options(more))
  const publish = async (...events: ReadonlyArray<Record<string, unknown>>) => service.publish(merchantId, events.map((event) => ({ poId: 'po-1', message: '', ...event })))
  const opened = async () => service.metric('connections_opened_total')
  return { page, complaints, options, mount, publish, opened, openedBefore: await opened() }
}

/** How many are connected in the end: as soon as it is nobody, at the latest after a while. */
async function remaining (): Promise<number> {
  const deadline = performance.now() + 20_000
  let connections: number
  do connections = await service.metric('connections')
  while (connections > 0 && performance.now() < deadline)
  return connections
}

const live = async (page: Page) => { await page.getByText('Live', { exact: true }).waitFor() }
const card = (page: Page, poId = 'po-1') => page.locator(`[data-po-id="${poId}"]`)
const bar = (page: Page, name: string) => page.getByRole('progressbar', { name })

const progress = (n: number, more: Record<string, unknown> = {}) => ({ type: 'progress', progress: n, ...more })
const stage = (stage: string, status: string, more: Record<string, unknown> = {}) => ({ type: 'stage', stage, status, ...more })
const failure = (more: Record<string, unknown> = {}) => ({ type: 'error', stage: 'ai_parsing', error: 'no paper', ...more })
const completion = (more: Record<string, unknown> = {}) => ({ type: 'completion', stage: 'saving', ...more })

for (const version of [18, 19] as const) {
  t.test(`with React ${version}`, { skip }, async (t) => {
    t.test('purchase orders are shown as they go', async (t) => {
      const { page, mount, publish, complaints } = await setup(t, { version })
      await mount({ show: ['feedback', 'updates', 'progress'] })
      await live(page)
      await publish(stage('upload', 'completed'), stage('ai_parsing', 'started'), progress(42, { etaMs: 60_000, message: 'Reading' }))
      await page.getByText('about 60 s left').waitFor()
      t.equal(await bar(page, 'Purchase order po-1').getAttribute('aria-valuenow'), '42')
      t.equal(await card(page).locator('[aria-current=step]').innerText(), 'AI parsing')
      t.equal(await page.locator('#progress').innerText(), '42 ai_parsing false false true')
      await page.waitForFunction(() => {
        const width = (selector: string) => document.querySelector(selector).getBoundingClientRect().width
        return Math.abs(width('.realtime-feedback__filled') / width('.realtime-feedback__bar') - 0.42) < 0.01
      })
      await page.getByText(/about 5\d s left/).waitFor()

      await publish(progress(7, { poId: 'po-2' }), failure({ poId: 'po-3' }))
      await card(page, 'po-3').getByText('no paper').waitFor()
      t.equal(await card(page, 'po-3').locator('.realtime-feedback__status').innerText(), 'Failed')
      t.equal(await bar(page, 'Purchase order po-1').getAttribute('aria-valuenow'), '42', 'orders are independent')
      t.equal(await bar(page, 'Purchase order po-2').getAttribute('aria-valuenow'), '7')
      const state = await page.evaluate(() => { const { isConnected, error, events } = app.updates()!; return { isConnected, error, newest: events[0]!.type } })
      t.strictSame(state, { isConnected: true, error: undefined, newest: 'error' }, 'a failed order is no error of the connection')

      await publish(progress(100), completion())
      await card(page).getByText('Completed', { exact: true }).waitFor()
      await page.getByRole('status').filter({ hasText: 'Purchase order po-1 is completed.' }).waitFor()
      t.equal(await page.locator('#progress').innerText(), '100 saving true false false')
      t.strictSame(complaints, [], 'neither React nor the policy of the page has anything against it')
    })

    t.test('there is one connection in StrictMode, and none afterwards', async (t) => {
      const { page, mount, publish, opened, openedBefore, complaints } = await setup(t, { version })
      await mount({ strict: true })
      await live(page)
      await publish(progress(1))
      await card(page).waitFor()
      t.equal(await opened() - openedBefore, 1)
      t.equal(await service.metric('connections'), 1)
      await page.evaluate(() => { app.unmount() })
      t.equal(await remaining(), 0)
      t.strictSame(complaints, [])
    })

    t.test('it renders at most once per frame, however fast events come', async (t) => {
      const { page, mount, publish } = await setup(t, { version, build: 'profiling' })
      await mount({ show: ['feedback', 'updates', 'progress'] })
      await live(page)
      const counted = page.evaluate(async () => app.count('finale'))
      const REQUESTS = 100
      const beginning = performance.now()
      for (let i = 0; i < REQUESTS; i++) {
        await publish(...Array.from({ length: 20 }, (_, n) => progress(i * 100 / REQUESTS, { poId: `po-${n}` })))
        const early = beginning + i * 10 - performance.now()
        if (early > 0) await new Promise((resolve) => { setTimeout(resolve, early) })
      }
      await publish({ type: 'finale' })
      const { ms, frames, events, commits, most, longTasks }: FrameCount = await counted
      t.ok(most <= 1, `${most} at most`)
      t.ok(commits <= frames && commits > 1, `${commits} renders in ${frames} frames`)
      t.ok(events > 5 * commits, 'of many events each')
      t.comment(`React ${version}: ${Math.round(events / ms * 1_000)} events/s, ${events} events, ${frames} frames, ${commits} renders, tasks of more than 50 ms: ${longTasks.map(Math.round).join(', ') || 'none'}`)
      t.equal(await bar(page, 'Purchase order po-19').getAttribute('aria-valuenow'), '99', 'and what it shows is the latest')
    })
  })
}

t.test('mounted and unmounted 500 times, it leaves nothing behind', { skip }, async (t) => {
  const { page, options, publish, opened, openedBefore } = await setup(t, { build: 'profiling' })
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Performance.enable')
  const left = async () => {
    await devtools.send('HeapProfiler.collectGarbage')
    const { metrics } = await devtools.send('Performance.getMetrics')
    return Object.fromEntries(metrics.filter(({ name }) => ['Nodes', 'JSEventListeners'].includes(name)).map(({ name, value }) => [name, value]))
  }
  const remount = async (times: number) => {
    await page.evaluate(async ({ times, options }) => app.remount(times, options), { times, options: options() })
    return remaining()
  }
  await publish(progress(1, { etaMs: 60_000 }))
  await remount(10)
  const before = await left()
  t.equal(await remount(500), 0, 'nobody is connected')
  t.ok(await opened() - openedBefore >= 51, 'each tenth was open')
  t.strictSame(await left(), before, 'no node and no listener is left in the page')
})

t.test('the hook alone: a connection of its own', { skip }, async (t) => {
  const { page, mount, publish, opened, openedBefore } = await setup(t)
  await mount({ show: 'standalone' })
  await page.getByText('open 0').waitFor()
  await publish(progress(1), progress(2))
  await page.getByText('open 2').waitFor()
  await page.evaluate(() => { app.updates()!.clearEvents() })
  await page.getByText('open 0').waitFor()
  await page.evaluate(() => { app.updates()!.reconnect() })
  while (await opened() - openedBefore < 2);
  await page.getByText('open 0').waitFor()
  await publish(progress(3))
  await page.getByText('open 1').waitFor()
  t.strictSame(await page.evaluate(() => app.updates()!.events.map((event) => event.type === 'progress' && event.progress)), [3])
})

t.test('a connection that is lost, and back, with what was missed', { skip }, async (t) => {
  const { page, mount, publish } = await setup(t)
  const recorder = await Recorder.start(t, service.port)
  await mount({ url: `${recorder.url}/api/realtime/events` })
  await live(page)
  await publish(progress(1))
  await card(page).waitFor()
  recorder.cut()
  await page.getByText('Reconnecting', { exact: true }).waitFor()
  await publish(progress(2))
  recorder.mend(service.port)
  await live(page)
  await page.locator('[aria-valuenow="2"]').waitFor()
  t.equal(await page.getByText('missed').count(), 0)
})

t.test('what a server has rendered goes on in the browser', { skip }, async (t) => {
  // Beside the places of the others, as react-page.tsx has it.
  const markup = renderToString(createElement(RealtimeProvider, { url: '/' }, createElement(RealTimeFeedback), false, false))
  const { page, mount, publish, complaints } = await setup(t, { site: await startSite(t, { version: 19, build: 'development', markup }) })
  t.equal(await page.getByText('Connecting', { exact: true }).count(), 1)
  await mount({ hydrate: true })
  await live(page)
  await publish(progress(1))
  await card(page).waitFor()
  t.strictSame(complaints, [], 'it is what the browser would have rendered')
})

t.test('all can use it', { skip }, async (t) => {
  const source = await readFile(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

  /** With something of all that it can show. */
  async function shown (t: Test, context: BrowserContextOptions = {}) {
    const s = await setup(t, { context })
    // A cursor that no instance knows makes a gap.
    await s.mount({ url: `${service.url}/api/realtime/events?lastEventId=unknown` })
    await s.page.getByText('missed').waitFor()
    await s.publish(
      stage('upload', 'completed'), stage('ai_parsing', 'started'), progress(42, { etaMs: 60_000, message: 'Reading line 17 of 40 of a file with a-rather-long-name-that-has-no-spaces.pdf' }),
      completion({ poId: 'po-2' }), progress(10, { poId: 'po-3' }), failure({ poId: 'po-3' }),
    )
    await card(s.page, 'po-3').getByText('Failed', { exact: true }).waitFor()
    return s
  }
  const fits = async (page: Page) => page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth)

  for (const colorScheme of ['light', 'dark'] as const) {
    t.test(`axe finds nothing, ${colorScheme}`, async (t) => {
      const { page } = await shown(t, { colorScheme, reducedMotion: 'reduce' })
      await page.evaluate(source)
      const violations = async () => (await page.evaluate(async () => axe.run())).violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])
      t.strictSame(await violations(), [])
      await page.evaluate(() => { app.unmount() })
      await page.evaluate(() => { app.mount({ url: '/nothing-here' }) })
      await page.getByText('Offline', { exact: true }).waitFor()
      t.strictSame(await violations(), [])
    })
  }

  t.test('by keyboard', async (t) => {
    const { page } = await shown(t)
    const names: Array<string | null> = []
    for (let i = 0; i < 3; i++) {
      await page.keyboard.press('Tab')
      names.push(await page.evaluate(() => document.activeElement.getAttribute('aria-label')))
    }
    t.strictSame(names, ['Hide this notice', 'Dismiss Purchase order po-3', 'Dismiss Purchase order po-2'])
    t.equal(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'solid', 'one sees where one is')
    await page.keyboard.press('Enter')
    await card(page, 'po-2').waitFor({ state: 'detached' })
    t.equal(await page.evaluate(() => document.activeElement.getAttribute('class')), 'realtime-feedback')
    await page.keyboard.press('Tab')
    t.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Hide this notice', 'and the focus is not lost')
  })

  t.test('at twice the size, and on the smallest screen', async (t) => {
    const { page } = await shown(t, { viewport: { width: 320, height: 640 } })
    t.ok(await fits(page), 'as at 400 % of 1,280 pixels')
    await page.setViewportSize({ width: 640, height: 640 })
    await page.evaluate(() => { document.documentElement.style.fontSize = '200%' })
    t.ok(await fits(page))
  })

  t.test('without motion, and with colours that one has chosen', async (t) => {
    const { page } = await shown(t, { reducedMotion: 'reduce', forcedColors: 'active' })
    const style = async (selector: string, property: string) => page.evaluate(({ selector, property }) => getComputedStyle(document.querySelector(selector))[property], { selector, property })
    t.equal(await style('.realtime-feedback__filled', 'transitionProperty'), 'none')
    t.not(await style('.realtime-feedback__filled', 'backgroundColor'), await style('.realtime-feedback__bar', 'backgroundColor'))
  })
})
