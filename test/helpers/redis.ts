import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { linesOf } from './arrivals.js'
import { freePort } from './free-port.js'

const run = promisify(execFile)

/** A real redis-server of a test's own, on a port that was free; it goes when the test goes. */
export class TestRedis {
  readonly port: number
  readonly #password: string
  readonly #more: readonly string[]
  #process: ChildProcess | undefined

  private constructor (port: number, password: string, more: readonly string[]) {
    this.port = port
    this.#password = password
    this.#more = more
  }

  get url (): string {
    return this.urlWith(this.#password)
  }

  /** @param more arguments of redis-server. */
  static async start (t: Pick<Test, 'teardown'>, password?: string, more: readonly string[] = []): Promise<TestRedis> {
    const redis = await TestRedis.absent(t, password, more)
    await redis.start()
    return redis
  }

  /** Not running yet; {@link TestRedis.start} starts it. */
  static async absent (t: Pick<Test, 'teardown'>, password = '', more: readonly string[] = []): Promise<TestRedis> {
    const redis = new TestRedis(await freePort(), password, more)
    t.teardown(() => redis.kill())
    return redis
  }

  /** Its address, with this password or none. */
  urlWith (password: string): string {
    return `redis://${password === '' ? '' : `:${encodeURIComponent(password)}@`}127.0.0.1:${this.port}`
  }

  async start (): Promise<void> {
    const child = spawn('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--repl-diskless-load', 'swapdb', '--requirepass', this.#password, ...this.#more], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    await linesOf(child.stdout).first((line) => line.includes('Ready to accept connections'))
  }

  /** SIGKILL, as when its machine is lost. */
  async kill (): Promise<void> {
    const child = this.#process
    if (child === undefined) return
    this.#process = undefined
    if (child.exitCode !== null || child.signalCode !== null) return // by itself, or by a Ctrl-C
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  freeze (): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw (): void {
    this.#process?.kill('SIGCONT')
  }

  /** By which addresses it knows the services' connections for this. */
  async addressesOf (role: 'subscriber' | 'publisher'): Promise<string[]> {
    const clients = (await this.cli('CLIENT', 'LIST')).split('\n').filter((line) => line.includes(`name=realtime-fanout:${role} `))
    return clients.map((line) => / addr=(\S+) /.exec(line)![1]!)
  }

  /** What redis-cli prints. */
  async cli (...args: string[]): Promise<string> {
    const { stdout } = await run('redis-cli', ['-p', String(this.port), ...args], { env: { ...process.env, ...(this.#password !== '' && { REDISCLI_AUTH: this.#password }) } })
    return stdout.trim()
  }
}
