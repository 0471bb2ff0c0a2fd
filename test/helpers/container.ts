import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { Arrivals, linesOf } from './arrivals.js'
import type { Image } from './image.js'
import type { LogLine } from './service.js'

const run = promisify(execFile)

/** The image's files as the root, none of which can be written; its processes are of their own, and nobody's in particular. */
const ISOLATED = `
unset NODE_OPTIONS # tap adds it, whatever the environment is
mount --bind "$1" "$1"
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount -o remount,ro,bind "$1"
root=$1 workdir=$2 user=$3 group=$4
shift 4
exec unshare --root "$root" --wd "$workdir" --setgid "$group" --setuid "$user" -- "$@"
`

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What `docker run --read-only --cap-drop ALL --network host` would start, as far as Linux does it without Docker. For root. */
export class Container {
  readonly log = new Arrivals<LogLine>()
  /** How it ended, as Docker would tell it. */
  readonly ended: Promise<Ended>
  readonly #image: Image
  readonly #env: Readonly<Record<string, string>>
  readonly #process: ChildProcess

  private constructor (image: Image, env: Readonly<Record<string, string>>) {
    this.#image = image
    this.#env = { ...image.env, ...env }
    const [program, ...args] = commandOf(image, [...image.entrypoint, ...image.command])
    const child = spawn(program, args, { env: this.#env, stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    linesOf(child.stdout).add = (line) => { this.log.add(JSON.parse(line) as LogLine) }
    this.ended = endOf(child)
    void this.ended.then(() => { this.log.end('the container ended') })
  }

  /** Why this machine can start none; `undefined` if it can. */
  static async whyNot (): Promise<string | undefined> {
    try {
      await run('unshare', ['--mount', '--pid', '--fork', 'true'])
      return undefined
    } catch (error) {
      return `no namespaces here: ${(error as Error).message.trim().replaceAll('\n', ' ')}`
    }
  }

  static start (t: Pick<Test, 'teardown'>, image: Image, env: Readonly<Record<string, string>>): Container {
    const container = new Container(image, env)
    t.teardown(async () => {
      await container.signal('SIGKILL').catch(() => { /* It has ended, or not begun. */ })
      container.#process.kill('SIGKILL')
      await container.ended
    })
    return container
  }

  /** What a command in the same image prints, beside what runs already, and its exit code. */
  async exec (command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended & { readonly out: string }> {
    const [program, ...args] = commandOf(this.#image, command)
    const child = spawn(program, args, { env: { ...this.#env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
    const [out, ended] = await Promise.all([text(child.stdout), endOf(child)])
    return { ...ended, out }
  }

  /** Its first process, as the kernel sees it from outside. */
  async status (): Promise<Map<string, string>> {
    const lines = (await readFile(`/proc/${await this.#first()}/status`, 'utf8')).trimEnd().split('\n')
    return new Map(lines.map((line) => line.split(/:\s+/, 2) as [string, string]))
  }

  async signal (signal: NodeJS.Signals): Promise<void> {
    process.kill(await this.#first(), signal)
  }

  async #first (): Promise<number> {
    const pid = this.#process.pid!
    const [, first] = /^(\d+) $/.exec(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')) ?? []
    if (first === undefined) throw new Error('the container has no process')
    return Number(first)
  }
}

async function endOf (child: ChildProcess): Promise<Ended> {
  const [code, signal] = await once(child, 'close') as [number | null, NodeJS.Signals | null]
  return { code, signal }
}

function commandOf ({ root, workdir, user, group }: Image, command: readonly string[]): [string, ...string[]] {
  return ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-euc', ISOLATED, 'sh', root, workdir, String(user), String(group), ...command]
}
