import dockerignore from '@balena/dockerignore'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { stagesOf, type Stage, type Step } from './dockerfile.js'

const run = promisify(execFile)
/** What Docker gives a command that sets none. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** What .dockerignore says of a path. */
export async function dockerIgnores (): Promise<(path: string) => boolean> {
  const ignore = dockerignore.default().add(await readFile('.dockerignore', 'utf8'))
  return (path) => ignore.ignores(path)
}

/** What the steps of the Dockerfile make, in a folder that goes when the test goes. No Docker is needed; `npm` runs as it says. */
export class Image {
  /** The root of its file system. */
  readonly root: string
  readonly workdir: string
  readonly env: Readonly<Record<string, string>>
  readonly user: number
  readonly group: number
  readonly command: readonly string[]
  readonly entrypoint: readonly string[]
  readonly healthcheck: readonly string[]

  private constructor (root: string, stage: Stage) {
    const [user, group] = stage.last('USER')!.text.split(':').map(Number)
    this.root = root
    this.workdir = stage.last('WORKDIR')!.text
    this.env = { PATH, ...Object.fromEntries(stage.properties('ENV')) }
    this.user = user!
    this.group = group!
    this.command = stage.last('CMD')!.exec!
    this.entrypoint = stage.last('ENTRYPOINT')!.exec!
    this.healthcheck = stage.last('HEALTHCHECK')!.exec!
  }

  /** @param built stages that are not run, with what they would have made: paths in the stage, and where these are already. */
  static async build (t: Pick<Test, 'teardown'>, built: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<Image> {
    const folder = await mkdtemp(join(tmpdir(), 'rtf-image-'))
    t.teardown(async () => rm(folder, { recursive: true, force: true }))
    const stages = stagesOf(await readFile('Dockerfile', 'utf8'))
    const ignores = await dockerIgnores()
    for (const [n, stage] of stages.entries()) {
      const root = join(folder, stage.name ?? String(n))
      const already = built[stage.name ?? '']
      if (already === undefined) {
        await provide(root, stage)
        let workdir = '/'
        for (const step of stage.steps) {
          if (step.keyword === 'WORKDIR') await mkdir(join(root, workdir = step.text), { recursive: true })
          if (step.keyword === 'RUN') await run('env', ['-u', 'NODE_OPTIONS', 'npm_config_prefer_offline=true', 'sh', '-euc', step.text], { cwd: join(root, workdir) })
          if (step.keyword === 'COPY') await copy(step, { folder, root, workdir, ignores })
        }
      } else {
        for (const [path, here] of Object.entries(already)) await link(resolve(here), join(root, path))
      }
    }
    return new Image(join(folder, stages.at(-1)!.name ?? String(stages.length - 1)), stages.at(-1)!)
  }
}

/** What a base image has that matters here: `node` in node's, and the libraries that `node` needs in Debian's. */
async function provide (root: string, { base }: Stage): Promise<void> {
  if (base.startsWith('node:')) return link(process.execPath, join(root, 'usr/local/bin/node'))
  for (const folder of ['dev', 'proc']) await mkdir(join(root, folder), { recursive: true })
  const { stdout } = await run('ldd', [process.execPath])
  for (const [path] of stdout.matchAll(/\/\S+(?= \(0x)/g)) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await run('cp', [await realpath(path), join(root, path)])
  }
}

async function link (target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await symlink(target, path)
}

async function copy ({ words, flags }: Step, { folder, root, workdir, ignores }: { folder: string, root: string, workdir: string, ignores: (path: string) => boolean }): Promise<void> {
  const from = flags.get('from')
  const to = resolve(root + workdir, words.at(-1)!.replace(/^\//, `${root}/`))
  const into = words.at(-1)!.endsWith('/')
  await mkdir(into ? to : dirname(to), { recursive: true })
  for (const source of words.slice(0, -1)) {
    if (from === undefined && ignores(source)) throw new Error(`${source} is not in the build's context`)
    await run('cp', ['-a', '--no-preserve=ownership', ...(into ? [] : ['-T']), await realpath(from === undefined ? source : join(folder, from, source)), to])
    const chmod = flags.get('chmod')
    if (chmod !== undefined) await run('chmod', [chmod, into ? join(to, source) : to])
  }
}
