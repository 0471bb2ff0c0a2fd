/*
 * Bundles the demo page into dist/demo/page: three files, and all that a browser needs for it. The service reads them at
 * each request, so that while it runs, a page that was built anew is there at the next look.
 */
import { copyFile, mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const from = fileURLToPath(new URL('page/', import.meta.url))
const to = fileURLToPath(new URL('../../dist/demo/page/', import.meta.url))

await mkdir(to, { recursive: true })
await copyFile(`${from}index.html`, `${to}index.html`)
await build({
  entryPoints: [{ in: `${from}main.tsx`, out: 'page' }, { in: `${from}page.css`, out: 'page' }],
  outdir: to,
  bundle: true,
  format: 'esm',
  target: ['chrome116', 'firefox124', 'safari17.4'],
  jsx: 'automatic',
  minify: true,
  legalComments: 'eof',
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warning',
})
