import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import t from 'tap'

/** What ensure-tools.js fetches comes last. */
const DIRECTORIES = [...(process.env.PATH ?? '').split(delimiter), 'node_modules/.cache/tools/usr/bin']

const path = await find()

async function find (): Promise<string | undefined> {
  for (const candidate of DIRECTORIES.map((directory) => resolve(join(directory, 'promtool')))) {
    if (await access(candidate, constants.X_OK).then(() => true, () => false)) return candidate
  }
  return undefined
}

/** Prometheus's own word: whether it has nothing to object, and all that it printed. */
export async function promtool (...args: string[]): Promise<{ ok: boolean, printed: string }> {
  if (path === undefined) throw new Error('no promtool here: it is in the package prometheus of Debian, and of Homebrew')
  return new Promise((resolve) => {
    execFile(path, args, (error, stdout, stderr) => { resolve({ ok: error === null, printed: stdout + stderr }) })
  })
}

/** Why what promtool is to say is skipped, if it is. On CI, where nobody reads what was skipped, it fails for want of it. */
export const skip = process.env.CI || path !== undefined ? false : 'no promtool here'
if (skip !== false) t.comment(`NEITHER QUERIES NOR ALERTS ARE CHECKED BY PROMETHEUS: ${skip}`)
