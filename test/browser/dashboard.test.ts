import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { freePort } from '../helpers/free-port.js'
import { TestRedis } from '../helpers/redis.js'
import { progress, Service } from '../helpers/service.js'
import { Stream } from '../helpers/stream.js'
import { violationsOf } from './axe.js'
import { launch, skip } from './chromium.js'
import { faultsOf } from './faults.js'
import { fitsOnPhones } from './widths.js'

/* The live page, in a real browser, against the real service and a real Redis. */

const KEY = 'the-key-of-those-who-operate-this'

const tile = (page: Page, name: string, text: string | RegExp) => page.locator(`[data-tile=${name}] dd`).filter({ hasText: text }).waitFor()
const becomes = (page: Page, state: string) => page.getByRole('status').filter({ hasText: state }).waitFor()

/** The rows of one of the tables, once there are so many. */
async function rows (page: Page, by: string, count: number): Promise<string[][]> {
  const all = page.locator(`[data-by=${by}] tbody tr`)
  await all.locator('td:nth-child(2)').nth(count - 1).waitFor()
  return Promise.all((await all.all()).map(async (row) => row.locator('td').allInnerTexts()))
}

/** How many pixels of a chart have the colour that its first line has on this page now. */
async function inkOf (page: Page, title: string): Promise<number> {
  const index = await page.getByRole('heading', { level: 2 }).filter({ visible: true }).allInnerTexts().then((titles) => titles.findIndex((each) => each.startsWith(title)))
  return page.evaluate<number>(`{
    const canvas = document.querySelectorAll('.chart canvas')[${index}]
    const probe = document.createElement('canvas').getContext('2d')
    probe.fillStyle = getComputedStyle(canvas).getPropertyValue('--accent')
    probe.fillRect(0, 0, 1, 1)
    const [r, g, b] = probe.getImageData(0, 0, 1, 1).data
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    let ink = 0
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 12) ink++
    ink
  }`)
}

/** A service whose page has a fixed address, so that it is the same after a restart. */
async function start (t: Test, redis: TestRedis, opsPort: number): Promise<Service> {
  const service = await Service.start(t, { REDIS_URL: redis.url, OPS_PORT: String(opsPort), OPS_KEY: KEY, RETRY_MS: '200' })
  await service.log.first(({ msg }) => msg === 'subscribed')
  return service
}

async function publisher (t: Test, { url }: TestRedis) {
  const client = new Redis(url, { maxRetriesPerRequest: null })
  client.on('error', () => { /* It comes back by itself. */ })
  t.teardown(() => { client.disconnect() })
  return async (merchantId: string, count: number) => {
    const pipeline = client.pipeline()
    for (let n = 0; n < count; n++) pipeline.publish(`merchant:${merchantId}:progress`, JSON.stringify(progress(n)))
    await pipeline.exec()
  }
}

t.test('the live page', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const opsPort = await freePort()
  const service = await start(t, redis, opsPort)
  const publish = await publisher(t, redis)
  const browser = await launch()
  t.teardown(() => browser.close())
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' })).newPage()
  const faults = faultsOf(page, service.opsUrl)
  await page.goto(`${service.opsUrl}/dashboard`)

  t.test('asks for a key', async (t) => {
    await becomes(page, 'Locked')
    t.equal(await page.locator('#board').isVisible(), false)
    t.strictSame(await violationsOf(page), [])
    await page.keyboard.type('some-other-key-of-32-characters-or-so')
    await page.keyboard.press('Enter')
    await page.getByText('That is none of the keys.').waitFor()
    await page.keyboard.type(KEY)
    await page.keyboard.press('Enter')
    await becomes(page, 'Live')
    t.equal(await page.locator('#gate').isVisible(), false)
    await page.reload()
    await becomes(page, 'Live')
    t.equal(await page.evaluate('document.cookie'), '', 'and keeps what it is given for it from its scripts')
  })

  t.test('shows what is so', async (t) => {
    const [first] = await Promise.all(['SHOP', 'SHOP', 'other.myshopify.com'].map(async (merchantId) => Stream.open(t, service.streamUrl(merchantId))))
    await Promise.all([publish('SHOP', 30), publish('nobody-listens', 60)])
    await first!.published(30)
    await tile(page, 'connections', /^3$/)
    await tile(page, 'merchants', /^2$/)
    await tile(page, 'redis', /^up$/)
    await tile(page, 'p99', /^[\d.]+\sms$/)
    t.strictSame((await rows(page, 'connections', 2)).map(([merchant, connections]) => [merchant, connections]), [['SHOP', '2'], ['other.myshopify.com', '1']])
    t.strictSame((await rows(page, 'rate', 2)).map(([merchant, connections]) => [merchant, connections]), [['nobody-listens', '0'], ['SHOP', '2']])
    t.match(await page.locator('.where').innerText(), `process ${service.pid}`)
    await page.locator('.chart').nth(8).locator('canvas').waitFor()
    for (const title of ['Streams', 'Messages in', 'Deliveries', 'Latency', 'Redis', 'Memory']) while (await inkOf(page, title) <= 5);

    t.test('and what it was where one points', async (t) => {
      const memory = page.locator('.chart').nth(8)
      const { x, y, width, height } = (await memory.locator('.plot').boundingBox())!
      await page.mouse.move(x + width - 10, y + height / 2)
      await page.getByText(/^\d\d:\d\d:\d\d$/).nth(8).waitFor()
      await page.mouse.move(0, 0)
      await page.getByText(/^\d\d:\d\d:\d\d$/).first().waitFor({ state: 'detached' })
      t.match(await memory.innerText(), /resident [\d.]+\sMB/)
    })
  })

  t.test('shows that Redis is away, and back', async (t) => {
    await redis.kill()
    await tile(page, 'redis', /^away$/)
    await page.locator('[data-tile=redis][data-mood=wrong]').waitFor()
    await redis.start()
    await tile(page, 'redis', /^up$/)
    t.equal(await page.locator('[data-tile][data-mood=wrong]').count(), 0)
  })

  t.test('is accessible, as far as axe can tell', async (t) => {
    t.strictSame(await violationsOf(page), [])
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      while (await inkOf(page, 'Memory') <= 5);
    }
  })

  t.test('fits on a phone, and when it is enlarged', async (t) => fitsOnPhones(t, page))

  t.test('takes whatever a merchant is called for text', async (t) => {
    const context = await browser.newContext()
    t.teardown(() => context.close())
    const other = await context.newPage()
    const merchantId = '<img src=x onerror="document.title = 1">'
    const standing = [{ merchantId, connections: 1, rate: 1 }]
    const [instance, past, now] = [{ node: '', everyMs: 1_000, keptMs: 900_000, startedAt: 0 }, { at: [] }, { sample: { at: 1 }, redis: {}, byConnections: standing, byRate: standing }].map((each) => JSON.stringify(each))
    await other.route('**/dashboard/session', async (route) => route.fulfill({ json: { admitted: true } }))
    await other.route('**/dashboard/events', async (route) => route.fulfill({ contentType: 'text/event-stream', body: `event: instance\ndata: ${instance}\n\nevent: past\ndata: ${past}\n\nevent: now\ndata: ${now}\n\n` }))
    await other.goto(`${service.opsUrl}/dashboard`)
    t.match(await rows(other, 'rate', 1), [[merchantId]])
    t.equal(await other.locator('img').count(), 0)
  })

  t.test('does not wait for ever for who says nothing', async (t) => {
    const other = await page.context().newPage()
    t.teardown(() => other.close())
    await other.clock.install()
    await other.addInitScript('AbortSignal.timeout = (ms) => { const over = new AbortController(); setTimeout(() => { over.abort() }, ms); return over.signal }') // By that clock.
    for (const silent of ['session', 'events']) await other.route(`**/dashboard/${silent}`, () => { /* It is never answered. */ }, { times: 1 })
    const asks = async (path: string) => other.waitForRequest(`**/dashboard/${path}`, { timeout: 10_000 })
    const asksAgain = async () => {
      const over = new AbortController()
      const again = asks('session').finally(() => { over.abort() })
      while (!over.signal.aborted) await other.clock.fastForward(1_000)
      await again
    }
    await Promise.all([asks('session'), other.goto(`${service.opsUrl}/dashboard`)])
    await Promise.all([asks('events'), asksAgain()])
    await becomes(other, 'Lost connection, retrying…')
    await asksAgain()
    await becomes(other, 'Live')
    t.equal(await other.locator('#board').isVisible(), true)
  })

  t.test('says that too many look, and not that the service is gone', async (t) => {
    const viewers: Stream[] = []
    do viewers.push(await Stream.request(t, `${service.opsUrl}/dashboard/events`, { headers: { authorization: `Bearer ${KEY}` } })); while (viewers.at(-1)!.status === 200)
    const other = await page.context().newPage()
    t.teardown(() => other.close())
    await other.goto(`${service.opsUrl}/dashboard`)
    await becomes(other, 'Too many look, retrying…')
    for (const viewer of viewers) viewer.close()
    await becomes(other, 'Live')
    t.equal(await other.locator('#board').isVisible(), true)
  })

  t.test('says that the service is gone, and goes on when there is another one', async (t) => {
    await service.stop()
    await becomes(page, 'Lost connection, retrying…')
    await page.locator('#board[data-stale]').waitFor()
    const another = await start(t, redis, opsPort)
    await becomes(page, 'Live')
    await page.locator('.where', { hasText: `process ${another.pid}` }).waitFor()
    await tile(page, 'connections', /^0$/)
    t.equal(await page.locator('#gate').isVisible(), false, 'without being asked for the key again')
  })

  t.test('has run into nothing in all of this, and asked nobody but its service', async (t) => {
    t.strictSame(faults, [])
  })
})

t.test('its pictures are in the README', async (t) => {
  const readme = await readFile('README.md', 'utf8')
  for (const name of ['light', 'dark']) t.match(readme, `test/browser/screenshots/dashboard-${name}.png`)
})

// Each is another one, and takes its minutes: the repository has them anew when somebody wants that.
t.test('has its pictures taken', { skip: skip || (process.env.UPDATE_SCREENSHOTS !== '1' && 'for UPDATE_SCREENSHOTS=1 only'), timeout: 600_000 }, async (t) => {
  const redis = await TestRedis.start(t)
  const service = await Service.start(t, { REDIS_URL: redis.url, RETRY_MS: '2000', LOG_LEVEL: 'info' })
  const publish = await publisher(t, redis)
  const browser = await launch(`--host-resolver-rules=MAP localhost:3001 127.0.0.1:${service.port}`)
  t.teardown(() => browser.close())
  const merchants = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark', 'wayne', 'tyrell', 'cyberdyne', 'soylent', 'wonka', 'oscorp'].map((name) => `${name}.myshopify.com`)
  const minutes = 4
  const over = new AbortController()
  t.teardown(() => { over.abort() })
  const load = async () => {
    for (let turn = 0; !over.signal.aborted; turn++) {
      const count = 6 + 5 * Math.sin(turn / 150) + 3 * Math.sin(turn / 17) + 2 * Math.random()
      const sent = Promise.all(Array.from({ length: Math.max(1, Math.round(count)) }, async () => publish(merchants[Math.floor(Math.random() ** 1.6 * merchants.length)]!, 2)))
      await Promise.race([sent.catch(() => { /* It is over. */ }), pause(1_000)])
      await pause(50)
    }
  }
  const crowd = async (merchantId: string, i: number) => {
    for (let open = 0; open < 4 + 3 * (merchants.length - i); open++) {
      await Stream.open(t, service.streamUrl(merchantId))
      await pause(60 + 20 * i)
    }
  }
  void load()
  await Promise.all([...merchants.map(crowd), pause(minutes * 60_000 * 0.6)])
  await redis.kill()
  await pause(12_000)
  await redis.start()
  await pause(minutes * 60_000 * 0.4)
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1160, height: 900 }, reducedMotion: 'reduce' })
    await page.goto('http://localhost:3001/dashboard')
    await rows(page, 'rate', 10)
    await writeFile(`test/browser/screenshots/dashboard-${colorScheme}.png`, await page.screenshot({ fullPage: true, animations: 'disabled' }))
  }
})
