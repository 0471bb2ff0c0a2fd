import { readFile, writeFile } from 'node:fs/promises'
import t from 'tap'
import { violationsOf } from './axe.js'
import { skip } from './chromium.js'
import { AT_HOME, Demos, stage, step } from './demos.js'
import type { Shown } from './demo-page.js'
import { fitsOnPhones } from './widths.js'

/*
 * The demo page, and with it the client, the hooks and the component, in a real browser, against the real service and a
 * real Redis.
 */

interface TraceEvent {
  readonly name: string
  readonly pid: number
  readonly tid: number
  /** When it began, in microseconds. */
  readonly ts: number
  /** The processor's time, in microseconds. */
  readonly tdur?: number
  readonly args: { readonly name?: string }
}

/** What a page did that was traced. */
interface Work {
  /** How long its tasks took, in milliseconds of the processor's time: others on this machine cannot make them longer. */
  readonly tasks: readonly number[]
  /** From the first to the last, in milliseconds. What is traced of a page that is too busy to tell of it is lost. */
  readonly spanMs: number
}

function workOf (trace: Buffer): Work {
  const { traceEvents } = JSON.parse(trace.toString()) as { readonly traceEvents: readonly TraceEvent[] }
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid}:${tid}`
  const main = traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(threadOf)
  const tasks = traceEvents.filter((event) => event.name === 'RunTask' && main.includes(threadOf(event)))
  const times = tasks.map(({ ts }) => ts / 1_000)
  return { tasks: tasks.map(({ tdur = 0 }) => tdur / 1_000), spanMs: Math.max(...times) - Math.min(...times) }
}

/** Orders of every kind, as they are when somebody takes a picture. */
function story () {
  const through = (poId: string, ...names: string[]) => names.flatMap((name) => [stage(poId, name, 'started'), stage(poId, name, 'completed')])
  return [
    ...through('PO-2041', 'upload', 'validation', 'ai_parsing', 'matching', 'saving'), { ...step('PO-2041', 100), message: '14 line items saved' },
    { type: 'completion', poId: 'PO-2041', stage: 'saving', confidence: 0.97 },
    ...through('PO-2042', 'upload', 'validation'), stage('PO-2042', 'ai_parsing', 'started'), step('PO-2042', 37.5),
    { type: 'error', poId: 'PO-2042', stage: 'ai_parsing', error: 'no table was found on page 2' },
    ...through('PO-2043', 'upload', 'validation', 'ai_parsing'), stage('PO-2043', 'matching', 'started'),
    ...through('PO-2044', 'upload'), { ...step('PO-2044', 12), message: 'upload: 4 of 4', etaMs: 19_000 },
  ]
}

t.test('the demo page', { skip }, async (t) => {
  const demos = await Demos.start(t)
  const { service, publish } = demos

  t.test('connects', async (t) => {
    const demo = await demos.live(t, { merchantId: 'connects' })
    await demo.log('Connected').waitFor()
    t.match(await demo.log('Connected').innerText(), '"merchantId":"connects"')
    t.equal(await service.metric('connections'), 1)
  })

  t.test('shows progress in real time', async (t) => {
    const demo = await demos.live(t, { merchantId: 'progress' })
    for (const percent of [7, 50, 93]) {
      await publish('progress', step('PO-1', percent))
      await demo.reaches('PO-1', percent)
      await demo.order('PO-1').getByText(`step ${percent}`).waitFor()
    }
    t.equal(await demo.bar('PO-1').count(), 1, 'in one place')
    await demo.counts('events', 3)
    t.match(await demo.log('step 93').innerText(), JSON.stringify(step('PO-1', 93)), 'with what came, as it came')
  })

  t.test('shows stages', async (t) => {
    const demo = await demos.live(t, { merchantId: 'stages' })
    await publish('stages', stage('PO-1', 'upload', 'started'), stage('PO-1', 'upload', 'completed'), stage('PO-1', 'ai_parsing', 'started'))
    const stages = demo.order('PO-1').getByRole('list', { name: 'Stages' }).getByRole('listitem')
    await stages.filter({ hasText: 'AI parsing' }).waitFor()
    t.strictSame((await stages.allInnerTexts()).map((text) => text.split('\n')[0]), ['Upload', 'AI parsing'])
    t.equal(await stages.nth(1).getAttribute('aria-current'), 'step')
  })

  t.test('says that an order is completed', async (t) => {
    const demo = await demos.live(t, { merchantId: 'completion' })
    await publish('completion', step('PO-1', 100), { type: 'completion', poId: 'PO-1', stage: 'saving' })
    await demo.order('PO-1').getByText('Completed', { exact: true }).waitFor()
    await demo.page.locator('[role=status], [aria-live]').filter({ hasText: 'PO-1 is completed' }).waitFor({ state: 'attached' })
  })

  t.test('shows several orders, each on its own', async (t) => {
    const demo = await demos.live(t, { merchantId: 'several' })
    await publish('several', step('PO-1', 10), step('PO-2', 20), stage('PO-3', 'upload', 'started'), { type: 'error', poId: 'PO-2', stage: 'upload', error: 'the file is no PDF' }, step('PO-1', 30))
    await demo.counts('events', 5)
    await demo.reaches('PO-1', 30)
    await demo.reaches('PO-2', 20)
    await demo.order('PO-2').getByText('the file is no PDF').waitFor()
    for (const poId of ['PO-1', 'PO-3']) t.equal(await demo.order(poId).getByText('In progress').count(), 1, `${poId} goes on`)
  })

  t.test('a published error is one of an order, and none of the connection', async (t) => {
    const demo = await demos.live(t, { merchantId: 'error' })
    await publish('error', { type: 'error', poId: 'PO-1', stage: 'upload', error: 'the file is no PDF' })
    await demo.order('PO-1').getByText('Failed', { exact: true }).waitFor()
    await demo.counts('events', 1)
    t.equal(await demo.count('lost'), 0)
    t.equal(await demo.page.locator('.state').innerText(), 'Live')
    t.equal(await service.metric('connections'), 1)
  })

  t.test('leaves nothing behind when it listens for others', async (t) => {
    const demo = await demos.live(t, { merchantId: 'm0' })
    for (let i = 1; i <= 5; i++) {
      await demo.page.getByLabel('Merchant').fill(`m${i}`)
      await demo.press('Listen')
      await demo.log(`"merchantId":"m${i}"`).waitFor()
    }
    t.equal(await service.metric('connections'), 1)
    t.match(demo.page.url(), /\?merchant=m5$/, 'and is there again when it is loaded again')
    await demo.page.goto(`${service.url}/?merchant=$(id)`)
    t.equal(await demo.page.getByLabel('Merchant').inputValue(), 'TEST', 'who sends a link cannot have commands pasted')
    await demo.page.close()
    while (await service.metric('connections') > 0);
  })

  t.test('starts orders that go their way, and one that fails', async (t) => {
    const demo = await demos.live(t, { merchantId: 'orders' })
    await demo.page.getByLabel('Speed').selectOption('10')
    await demo.press('Start five')
    await demo.press('Start one that fails')
    await demo.page.getByRole('heading', { name: /^PO-/ }).nth(5).waitFor()
    await demo.page.getByText('Completed', { exact: true }).nth(4).waitFor()
    await demo.page.getByText('Failed', { exact: true }).waitFor()
    t.equal(await demo.page.getByText('In progress').count(), 0)
    t.equal(await demo.count('lost'), 0)
  })

  t.test('has a log that can be paused and cleared', async (t) => {
    const demo = await demos.live(t, { merchantId: 'log' })
    await publish('log', step('PO-1', 1))
    await demo.log('step 1').waitFor()
    await demo.press('Pause')
    await publish('log', step('PO-1', 2), step('PO-1', 3))
    await demo.press('Go on (2 new)')
    await demo.log('step 3').waitFor()
    t.match((await demo.page.locator('.entries > li').allInnerTexts())[0], 'step 3', 'the newest is the first')
    await demo.press('Clear')
    await demo.page.getByText('Nothing has come yet').waitFor()
  })

  t.test('has commands to copy that work', async (t) => {
    const demo = await demos.live(t, { merchantId: 'copy', permissions: ['clipboard-read', 'clipboard-write'] })
    await demo.press('Copy: Publish over HTTP')
    const copied = await demo.page.evaluate<string>('navigator.clipboard.readText()')
    const [, url, body] = /^curl (\S+) .*-d '(.*)'$/.exec(copied)!
    const answer = await fetch(url!, { method: 'POST', headers: { 'content-type': 'application/json' }, body: body! })
    t.equal(answer.status, 202)
    await demo.reaches('PO-1', 50)
    t.equal(await demo.page.getByText('redis-cli PUBLISH merchant:copy:progress').count(), 1)
  })

  t.test('keeps up with 2,000 events a second, with no task of 50 ms', async (t) => {
    const RATE = 2_000
    const SECONDS = 2
    const demo = await demos.live(t, { merchantId: 'crowd' })
    await demos.browser.startTracing(demo.page, { categories: ['disabled-by-default-devtools.timeline', '__metadata'] })
    const startedAt = performance.now()
    let published = 0
    while (published < SECONDS * RATE) {
      const due = Math.min(SECONDS * RATE, Math.ceil((performance.now() - startedAt) * RATE / 1_000)) - published
      await publish('crowd', ...Array.from({ length: due }, (_, i) => step(`PO-${(published + i) % 20}`, (published + i) % 100)))
      published += due
      await new Promise((resolve) => { setTimeout(resolve, 5) })
    }
    await demo.counts('events', published)
    const { tasks, spanMs } = workOf(await demos.browser.stopTracing())
    t.ok(spanMs > 0.9 * SECONDS * 1_000, `${Math.round(spanMs)} ms were traced`)
    t.ok(Math.max(...tasks) > 0, 'the time of the processor is told')
    t.ok(Math.max(...tasks) < 50, `the longest took ${Math.max(...tasks)} ms`)
    t.equal(await demo.count('lost'), 0)
    t.ok(await demo.page.locator('.entries > li').count() <= 120, 'and the page does not grow')
  })

  t.test('is accessible, as far as axe can tell', async (t) => {
    const demo = await demos.live(t, { merchantId: 'axe', reducedMotion: 'reduce' })
    await publish('axe', step('PO-1', 10), stage('PO-2', 'upload', 'started'), { type: 'error', poId: 'PO-2', stage: 'upload', error: 'the file is no PDF' }, step('PO-3', 100))
    await demo.press('Restart from long ago')
    await demo.counts('gaps', 1)
    await demo.flip()
    await demo.becomes('Reconnecting…')
    t.strictSame(await violationsOf(demo.page), [])
  })

  t.test('fits on a phone, and when it is enlarged', async (t) => {
    const demo = await demos.live(t, { merchantId: 'narrow' })
    await publish('narrow', step('PO-with-a-long-number-0123456789-0123456789', 10), { type: 'x', text: 'y'.repeat(500) })
    await demo.counts('events', 2)
    await fitsOnPhones(t, demo.page)
  })

  const pictures: Array<[name: string, shown: Shown]> = [
    ['light', { colorScheme: 'light', viewport: { width: 1160, height: 740 } }],
    ['dark', { colorScheme: 'dark', viewport: { width: 1160, height: 740 } }],
    ['phone', { colorScheme: 'light', viewport: { width: 390, height: 740 }, deviceScaleFactor: 1.5 }],
  ]
  for (const [name, shown] of pictures) {
    t.test(`has its picture taken for the README: ${name}`, async (t) => {
      const merchantId = 'ACME' // Who comes anew is told of nothing that was before.
      const demo = await demos.live(t, { merchantId, reducedMotion: 'reduce', ...shown }, AT_HOME)
      await publish(merchantId, ...story())
      await demo.counts('events', story().length)
      await demo.flip()
      await demo.becomes('Reconnecting…')
      await demos.deliver(t, merchantId, { ...step('PO-2043', 71.4), message: 'matching: 12 of 31', etaMs: 5_200 }, stage('PO-2044', 'validation', 'started'))
      await demo.flip()
      await demo.counts('replayed', 2)
      await demo.becomes('Live')
      await demo.page.evaluate('scrollTo(0, 0)')
      const picture = await demo.page.screenshot({ animations: 'disabled', caret: 'hide' })
      t.ok(picture.length > 20_000 && picture.length < 150_000, `it has ${picture.length} bytes`)
      // Each is another one, if only by the time that it shows: the repository has them anew when somebody wants that.
      if (process.env.UPDATE_SCREENSHOTS === '1') await writeFile(`test/browser/screenshots/${name}.png`, picture)
      t.match(await readFile('README.md', 'utf8'), `test/browser/screenshots/${name}.png`)
    })
  }

  t.test('has run into nothing in all of this, and asked nobody but its service', async (t) => {
    t.strictSame(demos.faults, [])
  })
})
