import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import { faultsOf } from './faults.js'

export interface Shown extends BrowserContextOptions {
  readonly merchantId?: string
}

/** The demo page, open in a window of its own that ends with the test. */
export class DemoPage {
  readonly page: Page
  /** All that went wrong in it, and what it asked of anybody but the service. */
  readonly faults: readonly string[]

  private constructor (page: Page, url: string) {
    this.page = page
    this.faults = faultsOf(page, url)
  }

  /** @param url of the service. */
  static async open (t: Pick<Test, 'teardown'>, browser: Browser, url: string, { merchantId = 'TEST', ...options }: Shown = {}): Promise<DemoPage> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    t.teardown(() => context.close())
    const demo = new DemoPage(await context.newPage(), url)
    await demo.page.goto(`${url}/?merchant=${merchantId}`)
    return demo
  }

  /** Resolves when the header says so. */
  async becomes (state: 'Live' | 'Reconnecting…' | 'Closed' | 'Connecting…'): Promise<void> {
    await this.page.locator('.state', { hasText: state }).waitFor()
  }

  async press (name: string): Promise<void> {
    await this.page.getByRole('button', { name, exact: true }).click()
  }

  async flip (): Promise<void> {
    await this.page.getByRole('switch').click()
  }

  /** What is shown of one order. */
  order (poId: string): Locator {
    return this.page.getByRole('listitem').filter({ has: this.page.getByRole('heading', { name: poId, exact: true }) })
  }

  bar (poId: string): Locator {
    return this.order(poId).getByRole('progressbar')
  }

  /** Resolves when so much of an order is shown to be done. */
  async reaches (poId: string, percent: number): Promise<void> {
    await this.order(poId).locator(`[role=progressbar][aria-valuenow="${percent}"]`).waitFor()
  }

  /** Lines of the log with this text, the newest first. */
  log (text: string | RegExp): Locator {
    return this.page.locator('.entries > li').filter({ hasText: text })
  }

  /** How many of these there have been, as the page counts them. */
  async count (name: 'events' | 'replayed' | 'gaps' | 'lost'): Promise<number> {
    return Number((await this.page.locator(`[data-count=${name}] dd`).innerText()).replaceAll(',', ''))
  }

  /** Resolves when it has counted so many. */
  async counts (name: 'events' | 'replayed' | 'gaps' | 'lost', n: number): Promise<void> {
    await this.page.locator(`[data-count=${name}] dd`, { hasText: new RegExp(`^${n.toLocaleString('en')}$`) }).waitFor()
  }
}
