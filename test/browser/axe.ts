import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'

/** What axe has found. */
interface Findings {
  readonly violations: ReadonlyArray<{ readonly id: string, readonly nodes: ReadonlyArray<{ readonly html: string, readonly failureSummary: string }> }>
}

/** What axe finds wrong with a page, in each of its colour schemes. */
export async function violationsOf (page: Page): Promise<string[][]> {
  await page.evaluate(await readFile('node_modules/axe-core/axe.min.js', 'utf8'))
  const all: string[][] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    const { violations } = await page.evaluate<Findings>('axe.run()')
    all.push(...violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [colorScheme, id, html, failureSummary])))
  }
  return all
}
