import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import t from 'tap'
import { PLAIN_NODE } from './helpers/node.js'

const run = promisify(execFile)
const [node, ...args] = PLAIN_NODE

/** What a module brings along, by names of packages; `later` when it is asked for only. */
async function importsOf (entry: string): Promise<{ packages: string[], later: string[], own: string[] }> {
  const { metafile } = await build({ entryPoints: [entry], bundle: true, packages: 'external', platform: 'node', format: 'esm', metafile: true, write: false })
  const { imports } = Object.values(metafile.outputs)[0]!
  const foreign = imports.filter(({ path }) => !path.startsWith('node:'))
  const names = (kind: string) => [...new Set(foreign.filter((one) => one.kind === kind).map(({ path }) => /^(@[^/]+\/)?[^/]+/.exec(path)![0]))]
  const own = new Set([entry])
  for (const path of own) {
    for (const { path: imported, kind, external } of metafile.inputs[path]!.imports) if (external !== true && kind === 'import-statement') own.add(imported)
  }
  return { packages: names('import-statement'), later: names('dynamic-import'), own: [...own] }
}

t.test('what it exports resolves, with its types', async (t) => {
  // It fails where there are problems; that it is ESM only, and nothing for Node.js 10, are none.
  const { stdout } = await run('npx', ['attw', '--pack', '.', '--profile', 'esm-only', '--exclude-entrypoints', './react/styles.css', '--no-color'])
  for (const entry of ['"realtime-fanout"', '"realtime-fanout/publisher"', '"realtime-fanout/client"', '"realtime-fanout/react"']) t.match(stdout, entry)
})

t.test('publint has nothing to say', async (t) => {
  const { stdout } = await run('npx', ['publint', '--strict'])
  t.match(stdout, /All good!/)
})

t.test('the publisher brings nothing of the service along, and a Redis client only when it is asked to connect', async (t) => {
  const { packages, later, own } = await importsOf('dist/publisher/index.js')
  t.strictSame(packages, ['@sinclair/typebox'])
  t.strictSame(later, ['ioredis'])
  t.ok(own.every((path) => path === 'dist/message.js' || path.startsWith('dist/publisher/')), own.join(', '))
})

t.test('the service does not bring the publisher along', async (t) => {
  const { packages, own } = await importsOf('dist/server.js')
  t.ok(packages.includes('fastify') && packages.includes('prom-client'), 'it can be seen what is brought along')
  t.strictSame(own.filter((path) => path.includes('/publisher/')), [])
})

t.test('CommonJS can require it', async (t) => {
  const { stdout } = await run(node, [...args, '--no-warnings', '--input-type=commonjs', '--eval', "console.log(typeof require('realtime-fanout/publisher').MerchantPublisher, typeof require('realtime-fanout').buildApp)"])
  t.equal(stdout, 'function function\n')
})
