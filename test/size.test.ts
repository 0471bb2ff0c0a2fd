import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import t from 'tap'

const MAX_BYTES = 6_144

t.test('our own client, with its parser, is small, and all that a page needs', async (t) => {
  const { outputFiles: [bundle], metafile } = await build({
    entryPoints: ['dist/client/index.js'],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    metafile: true,
    write: false,
  })
  const bytes = gzipSync(bundle!.contents, { level: 9 }).length
  t.comment(`${bytes} bytes of ${MAX_BYTES}, minified and gzipped; ${bundle!.contents.length} minified`)
  t.ok(bytes < MAX_BYTES, `${bytes} bytes`)
  t.strictSame(Object.keys(metafile.inputs).filter((path) => !/^(dist\/client|node_modules\/eventsource-parser)\//.test(path)), [], 'it imports nothing else')
})
