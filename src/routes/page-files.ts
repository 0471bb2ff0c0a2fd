import type { FastifyInstance } from 'fastify'
import { onlyMethods } from './only-methods.js'

/** Where each file of a page is to be found, what it is called, and its type. */
export type PageFiles = ReadonlyArray<readonly [path: string, name: string, type: string]>

/** Reads one of a page's files. */
export type ReadPageFile = (name: string, type: string) => Promise<{ readonly type: string, readonly etag: string, readonly body: Buffer }>

/** All that the page needs comes from here, and what would come from elsewhere does not run. */
const HEADERS = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
}

/** Serves a page, and gives all that an instance answers the headers of one. */
export function pageFiles (app: FastifyInstance, files: PageFiles, readFile: ReadPageFile): void {
  app.addHook('onRequest', async (_request, reply) => { reply.headers(HEADERS) })
  for (const [path, name, type] of files) {
    onlyMethods(app, path, ['GET', 'HEAD'])
    app.get(path, async ({ headers }, reply) => {
      const file = await readFile(name, type)
      reply.header('etag', file.etag)
      if (headers['if-none-match'] === file.etag) return reply.code(304).send()
      return reply.type(file.type).send(file.body)
    })
  }
}
