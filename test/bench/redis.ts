import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { linesOf } from '../helpers/arrivals.js'
import { freePort } from '../helpers/free-port.js'
import { tracked } from './children.js'

/** A redis-server that keeps nothing, with room for as many clients as the machine lets it have. */
export class BenchRedis {
  readonly url: string
  readonly #child: ChildProcess

  private constructor (url: string, child: ChildProcess) {
    this.url = url
    this.#child = child
  }

  /** Started, and ready. */
  static async start (): Promise<BenchRedis> {
    const port = await freePort()
    const options = { port, bind: '127.0.0.1', save: '', appendonly: 'no', maxclients: 20_000, 'tcp-backlog': 4_096 }
    const child = tracked(spawn('redis-server', Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]), { stdio: ['ignore', 'pipe', 'inherit'] }))
    await linesOf(child.stdout).first((line) => line.includes('Ready to accept connections'))
    return new BenchRedis(`redis://127.0.0.1:${port}`, child)
  }

  /** Such as `7.0.15`. */
  static version (): string {
    return /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? 'of an unknown version'
  }

  get pid (): number {
    return this.#child.pid!
  }

  kill (): void {
    this.#child.kill('SIGKILL')
  }
}
