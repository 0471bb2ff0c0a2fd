import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

/** One file of a page. */
export interface PageFile {
  readonly type: string
  readonly etag: string
  readonly body: Buffer
}

/** Where the build puts them; from here it is the same way in `src` and in `dist`. */
const DIRECTORY = new URL('../../dist/', import.meta.url)

/** Read at each request: a page that is built anew is there at the next look. Rejects where it was not built. */
export async function readPageFile (page: 'demo' | 'dashboard', name: string, type: string): Promise<PageFile> {
  const body = await readFile(new URL(`${page}/page/${name}`, DIRECTORY))
  return { type, body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
}
