import t, { type Test } from 'tap'
import { RealtimeProvider, RealTimeFeedback, type FeedbackTexts, type RealTimeFeedbackProps } from '../src/client/react/index.js'
import { openPage } from './helpers/dom.js'
import { ScriptedTransport } from './helpers/scripted-transport.js'

const URL = 'https://realtime.example/api/realtime/events'

async function setup (t: Test, props: RealTimeFeedbackProps = {}) {
  const page = await openPage(t)
  const transport = new ScriptedTransport()
  await page.render(<RealtimeProvider url={URL} transport={transport}><RealTimeFeedback {...props} /></RealtimeProvider>)
  /** What is sent, and shown with the next frame. */
  const send = async (...events: ReadonlyArray<Record<string, unknown>>) => {
    for (const event of events) transport.last.send(event.type as string, { poId: '1', ...event })
    await page.frame()
  }
  const greet = async () => {
    transport.last.greet()
    await page.frame()
  }
  const texts = (selector: string) => [...page.body.querySelectorAll(selector)].map(({ textContent }) => textContent)
  return { page, transport, send, greet, texts }
}

async function open (t: Test, props: RealTimeFeedbackProps = {}) {
  const s = await setup(t, props)
  await s.greet()
  return s
}

const progress = (n: number, more: Record<string, unknown> = {}) => ({ type: 'progress', progress: n, ...more })
const stage = (stage: string, status: string, more: Record<string, unknown> = {}) => ({ type: 'stage', stage, status, ...more })
const completion = (more: Record<string, unknown> = {}) => ({ type: 'completion', stage: 'saving', ...more })
const failure = (more: Record<string, unknown> = {}) => ({ type: 'error', stage: 'ai_parsing', error: 'no paper', ...more })

const CARD = '.realtime-feedback__order'
const SAID = '[role=status]'
const CONNECTION = '.realtime-feedback__connection'

t.test('an order, from its first event to its last', async (t) => {
  const { page, send, texts } = await open(t)
  t.equal(page.text('.realtime-feedback__empty'), 'No purchase order is being processed.')
  const bar = () => Object.fromEntries(['role', 'aria-valuemin', 'aria-valuemax', 'aria-valuenow', 'aria-valuetext'].map((name) => [name, page.find('[role=progressbar]')!.getAttribute(name)]))
  const STEPS = '.realtime-feedback__stage'

  await send(stage('upload', 'started', { message: 'Uploading' }))
  t.equal(page.find('.realtime-feedback__empty'), null)
  t.equal(page.text(CARD), 'Purchase order 1In progress0 %UploadingUpload')
  t.match(bar(), { role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-valuenow': '0', 'aria-valuetext': '0 %, In progress, Upload' })
  t.equal(page.find('[role=progressbar]')!.getAttribute('aria-labelledby'), page.find('h3')!.id, 'the bar is called by the name of the order')

  await send(stage('upload', 'completed'), stage('ai_parsing', 'started'), progress(41.9, { message: 'Reading', etaMs: 65_000 }))
  t.equal(page.text(CARD), 'Purchase order 1In progress41 %Readingabout 65 s leftUploadcompletedAI parsing')
  t.equal(page.find('.realtime-feedback__filled')!.style.getPropertyValue('inline-size'), '41.9%')
  t.strictSame(texts(`${STEPS}[aria-current=step]`), ['AI parsing'])
  t.equal(page.find('.realtime-feedback__dismiss'), null, 'what is under way cannot be dismissed')

  await send(failure())
  t.equal(page.text(CARD), 'Purchase order 1Failed41 %no paperUploadcompletedAI parsing')
  t.equal(bar()['aria-valuetext'], '41 %, Failed')
  t.strictSame(texts(`${STEPS}[data-status=failed]`), ['AI parsing'])

  await send(stage('ai_parsing', 'started'), completion())
  t.equal(page.text(CARD), 'Purchase order 1Completed100 %UploadcompletedAI parsingcompletedSavingcompleted')
  t.equal(bar()['aria-valuenow'], '100', 'done by a completion, it is all done')
})

t.test('an order without stage and message', async (t) => {
  const { page, send } = await open(t)
  await send(progress(5))
  t.equal(page.text(CARD), 'Purchase order 1In progress5 %')
  t.equal(page.find('[role=progressbar]')!.getAttribute('aria-valuetext'), '5 %, In progress')
  await send(failure({ error: '' }))
  t.equal(page.find('.realtime-feedback__error'), null)
})

t.test('what is left counts down by itself', async (t) => {
  const { page, send } = await open(t)
  const left = async (etaMs: number) => {
    await send(progress(5, { etaMs }))
    return page.text('.realtime-feedback__eta')
  }
  const table: Array<[etaMs: number, text: string]> = [[0, 'soon'], [3_000, 'soon'], [89_500, 'about 90 s left'], [91_000, 'about 2 min left'], [3_540_000, 'about 59 min left'], [3_600_000, 'about 1 h left'], [7_500_000, 'about 2 h 5 min left']]
  for (const [etaMs, text] of table) t.equal(await left(etaMs), text)
  await left(6_000)
  const texts: unknown[] = []
  for (let i = 0; i < 8; i++) {
    await page.pass(1_000)
    texts.push(page.text('.realtime-feedback__eta'))
  }
  t.strictSame(texts, [...[6, 5, 4].map((s) => `about ${s} s left`), ...Array<string>(5).fill('soon')])
})

t.test('several orders: the newest first, each on its own', async (t) => {
  const { page, send, texts } = await open(t)
  await send(progress(10, { poId: 'a' }), progress(20, { poId: 'b' }), progress(30, { poId: 'c' }))
  t.strictSame(texts('h3'), ['Purchase order c', 'Purchase order b', 'Purchase order a'])
  const before = page.find('[data-po-id=a]')
  await send(failure({ poId: 'b' }), progress(99, { poId: 'a' }))
  t.strictSame(texts('.realtime-feedback__percent'), ['30 %', '20 %', '99 %'])
  t.equal(page.find('[data-po-id=a]'), before, 'none changes its place')
})

t.test('what has finished can be dismissed, and the focus is not lost', async (t) => {
  const { page, send, texts } = await open(t)
  await send(progress(100, { poId: 'a' }), failure({ poId: 'b' }))
  t.strictSame([...page.body.querySelectorAll('button')].map((button) => button.getAttribute('aria-label')), ['Dismiss Purchase order b', 'Dismiss Purchase order a'])
  await page.press('[data-po-id=b] button')
  await page.frame()
  t.strictSame(texts('h3'), ['Purchase order a'])
  t.equal(page.body.ownerDocument.activeElement, page.find('.realtime-feedback'))
  await send(progress(1, { poId: 'b' }))
  t.equal(texts('h3').length, 2, 'it comes back if it is heard of again')
})

t.test('the connection', async (t) => {
  const { page, transport, greet } = await setup(t)
  const shown = () => [page.text(CONNECTION), page.find(`${CONNECTION} svg`)!.getAttribute('data-shape')]
  t.strictSame(shown(), ['Connecting', 'connecting'])
  t.equal(page.text('.realtime-feedback__empty'), 'Waiting for updates.')
  await greet()
  t.strictSame(shown(), ['Live', 'live'])
  transport.last.end()
  await page.frame()
  t.strictSame(shown(), ['Reconnecting', 'connecting'])
  await page.pass(31_000)
  transport.last.end('RTF_BAD_TOKEN', 401)
  await page.frame()
  t.strictSame(shown(), ['Offline', 'offline'])
  t.equal(page.text('.realtime-feedback__notice'), 'Live updates have stopped (RTF_BAD_TOKEN).Try again')
  t.equal(page.find('.realtime-feedback__empty'), null, 'nothing is known of what is being processed')
  await page.press('.realtime-feedback__button')
  await page.frame()
  t.strictSame(shown(), ['Connecting', 'connecting'])
  t.equal(page.body.ownerDocument.activeElement, page.find('.realtime-feedback'))
  await greet()
  t.strictSame(shown(), ['Live', 'live'])
  transport.last.send('close', { type: 'close', reason: 'token_expired', reconnect: false })
  await page.frame()
  t.equal(page.text('.realtime-feedback__notice'), 'Live updates have stopped.Try again')
})

t.test('a gap is shown until it is hidden, and what may be out of date until it is heard of', async (t) => {
  const { page, send } = await open(t)
  const gap = { type: 'gap', reason: 'redis_outage', from: 1, to: 2 }
  const NOTICE = '.realtime-feedback__notice'
  const STALE = '.realtime-feedback__stale'
  await send(progress(10), gap)
  t.equal(page.text(NOTICE), 'Some updates may have been missed.')
  t.equal(page.text(STALE), 'This may be out of date.')
  t.ok(page.find(`${CARD} .realtime-feedback__dismiss`), 'its end may have been missed')
  await page.press(`${NOTICE} button`)
  t.equal(page.find(NOTICE), null)
  t.equal(page.body.ownerDocument.activeElement, page.find('.realtime-feedback'))
  await send(progress(11))
  t.equal(page.find(STALE), null)
  await send(gap)
  t.equal(page.text(NOTICE), 'Some updates may have been missed.', 'another one is another one')
})

t.test('what is read out', async (t) => {
  /** What is said within the next so many milliseconds. */
  const said = async ({ page }: Awaited<ReturnType<typeof setup>>, ms: number) => {
    const all: Array<string | undefined> = []
    for (let before = page.text(SAID), i = 0; i < ms; i += 100) {
      await page.pass(100)
      const text = page.text(SAID)
      if (text !== before && text !== '') all.push(text)
      before = text
    }
    return all
  }

  t.test('is what has completed or failed, and no progress', async (t) => {
    const s = await open(t)
    t.equal(s.page.text(SAID), '', 'the region is there before there is anything to say')
    t.equal(s.page.find(SAID)!.getAttribute('aria-live'), 'polite')
    await s.send(progress(1, { poId: 'a' }), stage('upload', 'started'))
    t.strictSame(await said(s, 10_000), [])
    await s.send(progress(100, { poId: 'a' }))
    await s.send(failure({ poId: 'b' }), failure({ poId: 'c', error: '' }))
    t.strictSame(await said(s, 900), [], 'not at once')
    t.strictSame(await said(s, 100), ['Purchase order c has failed. Purchase order b has failed: no paper Purchase order a is completed.'])
    t.strictSame(await said(s, 10_000), [], 'and once')
    await s.send(completion({ poId: 'b' }))
    t.strictSame(await said(s, 1_000), ['Purchase order b is completed.'])
  })

  t.test('is not what was so for a moment only', async (t) => {
    const s = await open(t)
    await s.send(progress(10), completion())
    await s.page.pass(500)
    await s.send(stage('saving', 'started'))
    t.strictSame(await said(s, 10_000), [])
    await s.send(progress(100))
    t.strictSame(await said(s, 1_000), ['Purchase order 1 is completed.'])
    await s.send(progress(100, { workflowId: 'w2' }))
    t.strictSame(await said(s, 10_000), [], 'nor what is only told once more')
    await s.send(progress(10, { workflowId: 'w2' }), progress(100, { workflowId: 'w2' }))
    t.strictSame(await said(s, 10_000), [], 'nor what went on for less than a frame')
    await s.send(progress(10, { workflowId: 'w2' }))
    await s.send(progress(100, { workflowId: 'w2' }))
    t.strictSame(await said(s, 1_000), ['Purchase order 1 is completed.'], 'but what has ended once more, in the same words')
  })

  t.test('are numbers, of many', async (t) => {
    const s = await open(t)
    await s.send(...Array.from({ length: 8 }, (_, i) => i < 4 ? progress(100, { poId: `p${i}` }) : failure({ poId: `p${i}` })))
    t.strictSame(await said(s, 1_000), ['4 purchase orders have failed. 4 purchase orders are completed.'])
  })

  t.test('is that something may have been missed, once for each time', async (t) => {
    const s = await open(t)
    await s.send({ type: 'gap', reason: 'redis_outage', from: 1, to: 2 })
    t.strictSame(await said(s, 10_000), ['Some updates may have been missed.'])
    await s.send({ type: 'gap', reason: 'redis_outage', from: 3, to: 4 })
    t.strictSame(await said(s, 10_000), ['Some updates may have been missed.'])
  })

  t.test('is a connection that is lost for longer, and that it is back', async (t) => {
    const s = await open(t)
    s.transport.last.end()
    await s.page.frame()
    await s.page.pass(3_000)
    s.transport.last.greet()
    t.strictSame(await said(s, 10_000), [], 'not if it is back soon')
    await s.send(progress(100))
    s.transport.last.end()
    await s.page.frame()
    t.strictSame(await said(s, 4_000), ['Purchase order 1 is completed.'])
    t.strictSame(await said(s, 1_100), ['The connection is lost. Trying to reconnect.'])
    s.transport.last.end('RTF_FORBIDDEN', 403)
    t.strictSame(await said(s, 10_000), ['Live updates have stopped.'])
    await s.page.press('.realtime-feedback__button')
    await s.greet()
    t.strictSame(await said(s, 1_000), ['The connection is back.'])
  })

  t.test('is not what was there before', async (t) => {
    const page = await openPage(t)
    const transport = new ScriptedTransport()
    const render = async (shown: boolean) => page.render(<RealtimeProvider url={URL} transport={transport}>{shown && <RealTimeFeedback />}</RealtimeProvider>)
    await render(false)
    transport.last.greet()
    transport.last.send('progress', { poId: '1', progress: 100 })
    transport.last.send('gap', { type: 'gap', reason: 'redis_outage', from: 1, to: 2 })
    await page.frame()
    await render(true)
    await page.pass(10_000)
    t.equal(page.text(CARD), 'Purchase order 1Completed100 %')
    t.equal(page.text(SAID), '')
    await render(false)
  })
})

t.test('in other words, and with a class of its own', async (t) => {
  const texts: Partial<FeedbackTexts> = { heading: 'Commandes', order: ({ poId }) => `Commande ${poId}`, percent: (n) => `${n} pour cent`, connection: { connecting: 'Connexion', open: 'En direct', reconnecting: 'Reconnexion', closed: 'Hors ligne' } }
  const { page, send } = await open(t, { texts, className: 'mine' })
  await send(progress(7))
  t.equal(page.text('.realtime-feedback.mine > header'), 'CommandesEn direct')
  t.equal(page.text(CARD), 'Commande 1In progress7 pour cent')
})
