/*
 * Bundles the pages into dist/demo/page and dist/dashboard/page: three files each, and all that a browser needs for it. The
 * service reads them at each request, so that while it runs, a page that was built anew is there at the next look.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const path = (/** @type {string} */ relative) => fileURLToPath(new URL(relative, import.meta.url))

const head = await readFile(path('head.html'), 'utf8')
await bundle('demo', 'main.tsx')
// Its source has its licence where esbuild does not look for one.
await bundle('dashboard', 'main.ts', `/*! uPlot\n${await readFile(path('../../node_modules/uplot/LICENSE'), 'utf8')}*/`)

async function bundle (/** @type {string} */ page, /** @type {string} */ main, footer = '') {
  const from = path(`../${page}/page/`)
  const to = path(`../../dist/${page}/page/`)
  await mkdir(to, { recursive: true })
  const body = await readFile(`${from}index.html`, 'utf8')
  await writeFile(`${to}index.html`, body.replace(/^<!-- head: (.+) -->\n/, (_line, title) => head.replaceAll('%page%', page).replace('%title%', title)))
  await build({
    entryPoints: [{ in: `${from}${main}`, out: 'page' }, { in: `${from}page.css`, out: 'page' }],
    outdir: to,
    bundle: true,
    format: 'esm',
    target: ['chrome116', 'firefox124', 'safari17.4'],
    jsx: 'automatic',
    minify: true,
    legalComments: 'eof',
    footer: { js: footer },
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'warning',
  })
}
