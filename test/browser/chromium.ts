import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { EventSource as StandardEventSource } from 'eventsource'
import { chromium, type Browser, type Page as BrowserPage } from 'playwright-core'
import t, { type Test } from 'tap'
import { Arrivals } from '../helpers/arrivals.js'

/** What Debian, Ubuntu and Google call it. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** An event as the page's own EventSource dispatched it. */
export interface PageEvent {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

/* What there is in a page, besides what there is in Node.js. */
declare const EventSource: typeof StandardEventSource
declare const report: (event: PageEvent) => void

/** A page of Chromium, headless, in a browser of its own that ends with the test. */
export class Page {
  /** All that its EventSource has dispatched, but for the errors of connections. */
  readonly events = new Arrivals<PageEvent>()
  readonly #page: BrowserPage

  private constructor (page: BrowserPage) {
    this.#page = page
  }

  static async open (t: Test, url: string): Promise<Page> {
    const browser = await launch()
    t.teardown(() => browser.close())
    const page = new Page(await browser.newPage())
    page.#page.on('close', () => { page.events.end('the page was closed') })
    await page.#page.goto(url)
    await page.#page.exposeFunction('report', (event: PageEvent) => { page.events.add(event) })
    return page
  }

  /** Has the page make an EventSource, the browser's own, and listen to unnamed events and to these types. */
  async listen (url: string, ...types: string[]): Promise<void> {
    await this.#page.evaluate(({ url, types }) => {
      const source = new EventSource(url)
      for (const type of types) {
        source.addEventListener(type, ({ data, lastEventId }: { data: string, lastEventId: string }) => { report({ type, data, lastEventId }) })
      }
    }, { url, types: ['message', ...types] })
  }

  /** Has the page run this as a module; what that does by itself is not waited for. */
  async run (module: string): Promise<void> {
    await this.#page.addScriptTag({ type: 'module', content: module })
  }

  /** Whether there is a network, for new connections; those that there are end. */
  async setOffline (offline: boolean): Promise<void> {
    await this.#page.context().setOffline(offline)
  }
}

/** @param args of its command line. */
export async function launch (...args: readonly string[]): Promise<Browser> {
  const executablePath = await find()
  if (executablePath === undefined) throw new Error(`no Chromium here. Debian: apt-get install chromium; elsewhere, have one of ${NAMES.join(', ')} on the PATH`)
  // Without its sandbox, as playwright-core has it by default: containers seldom let it have one, and it sees our own pages only.
  return chromium.launch({ executablePath, args: [...args] })
}

/** Why there can be none on this machine; `false` if there can. */
async function whyNot (): Promise<string | false> {
  try {
    const browser = await launch()
    await browser.close()
    return false
  } catch (error) {
    return (error as Error).message.trim().replaceAll('\n', ' ')
  }
}

async function find (): Promise<string | undefined> {
  const directories = (process.env.PATH ?? '').split(delimiter)
  for (const path of NAMES.flatMap((name) => directories.map((directory) => join(directory, name)))) {
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path
  }
  return undefined
}

/** Why tests in a browser are skipped, if they are. On CI, where nobody reads what was skipped, they fail for want of a browser. */
export const skip = process.env.CI ? false : await whyNot()
if (skip !== false) t.comment(`NOTHING IS TESTED IN A BROWSER: ${skip}`)
