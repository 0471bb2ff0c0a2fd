import type { Page } from 'playwright-core'
import type { Test } from 'tap'

/** A page has nothing beside what fits on a phone, or in a window that is enlarged. */
export async function fitsOnPhones (t: Test, page: Page): Promise<void> {
  for (const width of [320, 390, 640]) {
    await page.setViewportSize({ width, height: 700 })
    t.ok(await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth'), `at ${width} pixels, nothing is beside it`)
  }
}
