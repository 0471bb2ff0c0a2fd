import { Redis } from 'ioredis'
import type { Browser } from 'playwright-core'
import type { Test } from 'tap'
import { TestRedis } from '../helpers/redis.js'
import { Service } from '../helpers/service.js'
import { Stream } from '../helpers/stream.js'
import { launch } from './chromium.js'
import { DemoPage, type Shown } from './demo-page.js'

/** By which address the browser knows the service, too: that of one which somebody has just started. */
export const AT_HOME = 'http://localhost:3001'

export const step = (poId: string, progress: number) => ({ type: 'progress', poId, progress, message: `step ${progress}` })
export const stage = (poId: string, name: string, status: 'started' | 'completed') => ({ type: 'stage', poId, stage: name, status, message: name })

/** A service on a Redis of its own, and a browser for demo pages; each page is best given a merchant of its own. */
export class Demos {
  readonly service: Service
  readonly browser: Browser
  readonly redisUrl: string
  /** All that went wrong in all of the pages whose tests have ended. */
  readonly faults: string[] = []
  readonly #redis: Redis

  private constructor (redisUrl: string, redis: Redis, service: Service, browser: Browser) {
    this.redisUrl = redisUrl
    this.#redis = redis
    this.service = service
    this.browser = browser
  }

  static async start (t: Test): Promise<Demos> {
    const { url } = await TestRedis.start(t)
    const redis = new Redis(url)
    t.teardown(() => { redis.disconnect() })
    const service = await Service.start(t, { REDIS_URL: url, RETRY_MS: '200' })
    const browser = await launch(`--host-resolver-rules=MAP ${new URL(AT_HOME).host} 127.0.0.1:${service.port}`)
    t.teardown(() => browser.close())
    await service.log.first(({ msg }) => msg === 'subscribed')
    return new Demos(url, redis, service, browser)
  }

  async open (t: Test, shown: Shown, url = this.service.url): Promise<DemoPage> {
    const demo = await DemoPage.open(t, this.browser, url, shown)
    t.teardown(() => { this.faults.push(...demo.faults.map((fault) => `${shown.merchantId}: ${fault}`)) })
    return demo
  }

  /** Opened, and connected. */
  async live (...opened: Parameters<Demos['open']>): Promise<DemoPage> {
    const demo = await this.open(...opened)
    await demo.becomes('Live')
    return demo
  }

  /**
   * Stops the processes of all pages, as a machine does that goes to sleep. (`Page.setWebLifecycleState` freezes no page
   * that can be seen.)
   * @returns what wakes them.
   */
  async sleep (): Promise<() => void> {
    const browser = await this.browser.newBrowserCDPSession()
    const { processInfo } = await browser.send('SystemInfo.getProcessInfo')
    const pids = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    return () => { for (const pid of pids) process.kill(pid, 'SIGCONT') }
  }

  /** Publishes by Redis, as a backend service does. */
  readonly publish = async (merchantId: string, ...events: Array<{ readonly type: string, readonly [field: string]: unknown }>): Promise<void> => {
    const pipeline = this.#redis.pipeline()
    for (const event of events) pipeline.publish(`merchant:${merchantId}:${event.type}`, JSON.stringify(event))
    await pipeline.exec()
  }

  /** Publishes, and resolves when the service has it to replay, which is later than Redis has taken it. */
  async deliver (t: Test, ...published: Parameters<Demos['publish']>): Promise<void> {
    const witness = await Stream.open(t, this.service.streamUrl(published[0]))
    await this.publish(...published)
    await witness.published(published.length - 1)
  }
}
