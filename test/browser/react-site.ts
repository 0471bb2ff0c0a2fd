import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { build as esbuild } from 'esbuild'
import type { Test } from 'tap'

export type ReactVersion = 18 | 19

export interface SiteOptions {
  /** Which React; its development build complains, its profiling build is as fast as in production. */
  readonly version: ReactVersion
  readonly build: 'development' | 'profiling'
  /** What a server has rendered. */
  readonly markup?: string
}

/** A site of its own origin, as strict as can be about what its pages may do, with react-page.tsx in one version of React. */
export async function startSite (t: Pick<Test, 'teardown'>, { version, build, markup = '' }: SiteOptions): Promise<string> {
  const script = await bundle(version, build)
  const styles = await readFile('src/client/react/styles.css', 'utf8')
  const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Orders</title>
<link rel="stylesheet" href="/page.css">
<link rel="stylesheet" href="/styles.css">
<script src="/page.js" defer></script>
<body><header><h1>Shop</h1></header><main id="root">${markup}</main></body>
</html>`
  const files: Record<string, readonly [type: string, body: string]> = {
    '/': ['text/html', page],
    '/page.js': ['text/javascript', script],
    '/page.css': ['text/css', ':root { color-scheme: light dark } body { margin: 1rem; font: 100%/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText } header, main { max-inline-size: 44rem; margin-inline: auto }'],
    '/styles.css': ['text/css', styles],
  }
  const server = createServer((request, response) => {
    const file = files[request.url ?? '']
    if (file === undefined) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, {
      'content-type': `${file[0]}; charset=utf-8`,
      'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src http://127.0.0.1:*",
    }).end(file[1])
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

async function bundle (version: ReactVersion, build: SiteOptions['build']): Promise<string> {
  const reactDom = version === 18 ? 'react-dom18' : 'react-dom'
  const { outputFiles } = await esbuild({
    entryPoints: ['test/browser/react-page.tsx'],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': JSON.stringify(build === 'profiling' ? 'production' : build) },
    alias: {
      ...(version === 18 && { react: 'react18', 'react-dom': reactDom }),
      ...(build === 'profiling' && { 'react-dom/client': `${reactDom}/profiling` }),
    },
  })
  return outputFiles[0]!.text
}
