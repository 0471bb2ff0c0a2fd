import type { Page } from 'playwright-core'

/** All that goes wrong in a page, and what it asks of anybody but this service, from now on. */
export function faultsOf (page: Page, url: string): string[] {
  const faults: string[] = []
  page.on('pageerror', (error) => { faults.push(error.message) })
  // That a connection could not be made, the browser itself says; some are not to be made.
  page.on('console', (said) => { if (said.type() === 'error' && !said.text().startsWith('Failed to load resource')) faults.push(said.text()) })
  page.on('request', (request) => { if (!/^data:/.test(request.url()) && new URL(request.url()).origin !== url) faults.push(request.url()) })
  return faults
}
