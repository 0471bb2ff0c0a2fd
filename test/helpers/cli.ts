import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import type { Test } from 'tap'
import { Arrivals, linesOf } from './arrivals.js'
import { NODE } from './node.js'

/** What this process may have been told is none of the tests' business. */
const NOTHING = { REALTIME_URL: '', REALTIME_TOKEN: '', REDIS_URL: '', PUBLISH_KEY: '', CHANNEL_PREFIX: '', NO_COLOR: undefined, FORCE_COLOR: undefined, CI: undefined }

export type CliEnvironment = Record<string, string>

/** What `listen` prints behind a pipe. */
export interface ListenLine {
  readonly event?: string
  readonly connection?: string
  readonly data?: Record<string, unknown>
  readonly [key: string]: unknown
}

export const eventsOf = (lines: readonly string[]): ListenLine[] => lines.map((line) => JSON.parse(line) as ListenLine)
export const isOpen = (line: string): boolean => line.startsWith('{"connection":"open"')

/** What it printed, and how it ended. */
export interface Ended {
  readonly code: number | null
  readonly out: string[]
  readonly err: string[]
}

/** The built command line in a process of its own, behind pipes. */
export class Cli {
  readonly out: Arrivals<string>
  readonly err: Arrivals<string>
  readonly ended: Promise<Ended>
  readonly #process: ChildProcess

  constructor (t: Pick<Test, 'teardown'>, args: readonly string[], env: CliEnvironment = {}, stdin = '') {
    const [program, ...node] = NODE
    const child = spawn(program, [...node, 'dist/cli/main.js', ...args], { env: { ...process.env, ...NOTHING, ...env } })
    this.#process = child
    this.out = linesOf(child.stdout)
    this.err = linesOf(child.stderr)
    this.ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out: this.out.all, err: this.err.all }))
    child.stdin.end(stdin)
    t.teardown(async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await this.ended
    })
  }

  static async run (t: Pick<Test, 'teardown'>, args: readonly string[], env?: CliEnvironment, stdin?: string): Promise<Ended> {
    return new Cli(t, args, env, stdin).ended
  }

  signal (signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }
}

/** The same at a terminal (a pseudo-terminal of `script`, of util-linux), which somebody looks at and types into. */
export class CliAtTerminal {
  /** All that was written to the terminal, each time that it became more. */
  readonly #written = new Arrivals<string>()
  readonly ended: Promise<number | null>
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  #raw = ''

  /** @param size as `stty` takes it; none: a terminal that says 0 × 0. */
  constructor (t: Pick<Test, 'teardown'>, args: readonly string[], env: CliEnvironment = {}, size = 'rows 24 cols 100') {
    const command = [...NODE, 'dist/cli/main.js', ...args].map((word) => `'${word}'`).join(' ')
    const child = spawn('script', ['-qec', `${size && `stty ${size}; `}exec ${command}`, '/dev/null'], { env: { ...process.env, ...NOTHING, TERM: 'xterm-256color', ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
    this.#process = child
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#raw += text
      this.#written.add(this.text)
    })
    this.ended = once(child, 'close').then(([code]) => code as number | null)
    void this.ended.then(() => { this.#written.end(`it ended, after ${this.text}`) })
    t.teardown(async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await this.ended
    })
  }

  get raw (): string {
    return this.#raw
  }

  /** Without what moves and colours. */
  get text (): string {
    return stripVTControlCharacters(this.#raw)
  }

  /** Resolves with all that was written, once this is among it. */
  async sees (what: RegExp): Promise<string> {
    return what.test(this.text) ? this.text : this.#written.next((text) => what.test(text))
  }

  press (key: 'Ctrl-C'): void {
    this.#process.stdin.write({ 'Ctrl-C': '\u0003' }[key])
  }
}
