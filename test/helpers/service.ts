import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Test } from 'tap'
import { Arrivals, linesOf } from './arrivals.js'
import { NODE } from './node.js'

export interface LogLine {
  readonly msg: string
  readonly level: number
  readonly [field: string]: unknown
}

export type Environment = Record<string, string>

/** The real, built service in a process of its own, on a free port; it is ended with SIGTERM when the test ends. */
export class Service {
  readonly log = new Arrivals<LogLine>()
  /** All that it printed that is no line of its log. */
  readonly printed: string[] = []
  /** All that it printed, as it came. */
  readonly output: string[] = []
  readonly exit: Promise<{ code: number | null, signal: NodeJS.Signals | null }>
  readonly #process: ChildProcess
  #origins: readonly URL[] = []

  private constructor (env: Environment, cwd = process.cwd(), launcher: readonly string[] = []) {
    const [program, ...args] = [...launcher, ...NODE, '--expose-gc', '--import', resolve('test/helpers/collect-garbage.js'), resolve('dist/server.js')]
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'debug', DRAIN_DELAY_MS: '0', DRAIN_WINDOW_MS: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#process = child
    // 'close' comes when all that it printed has been read, 'exit' may come before.
    this.exit = once(child, 'close').then(([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }))
    const take = (line: string) => {
      this.output.push(line)
      if (line.startsWith('{')) this.log.add(JSON.parse(line) as LogLine)
      else this.printed.push(line)
    }
    for (const stream of [child.stdout, child.stderr]) {
      const lines = linesOf(stream)
      lines.add = take
    }
    void this.exit.then(() => { this.log.end(`the service ended: ${this.printed.join('\n')}`) })
  }

  /**
   * Started and listening.
   * @param launcher a command that becomes the one that is appended to it.
   */
  static async start (t: Pick<Test, 'teardown'>, env: Environment = {}, cwd?: string, launcher?: readonly string[]): Promise<Service> {
    const service = new Service(env, cwd, launcher)
    t.teardown(() => service.stop())
    const lines = await service.log.count(env.OPS_PORT === undefined ? 1 : 2, ({ msg }) => msg.startsWith('listening at'))
    service.#origins = lines.map(({ msg }) => new URL(msg.slice('listening at '.length)))
    return service
  }

  /** One that is expected to refuse to start; what it printed, and its exit code. */
  static async refused (env: Environment): Promise<{ code: number | null, printed: string[] }> {
    const service = new Service(env)
    const { code } = await service.exit
    return { code, printed: service.printed }
  }

  get pid (): number {
    return this.#process.pid!
  }

  get port (): number {
    return Number(this.#origins[0]!.port)
  }

  get url (): string {
    return this.#origins[0]!.origin
  }

  get opsUrl (): string {
    return this.#origins[1]!.origin
  }

  streamUrl (merchantId: string, query = ''): string {
    return `${this.url}/api/realtime/events?merchantId=${merchantId}${query}`
  }

  signal (signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  async stop (): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGTERM')
    await this.exit
  }

  async publish (merchantId: string, events: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}/api/realtime/merchants/${merchantId}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(events),
    })
  }

  /** One value of this service's metrics; `series` as Prometheus writes it, without the prefix. */
  async metric (series: string): Promise<number> {
    return this.#scrape(`realtime_${series}`)
  }

  /** Bytes of memory that the process holds. */
  async rss (): Promise<number> {
    return this.#scrape('process_resident_memory_bytes')
  }

  /** Bytes of its heap that are no garbage. */
  async heap (): Promise<number> {
    const collected = this.log.next(({ msg }) => msg === 'garbage collected')
    this.signal('SIGWINCH')
    return Number((await collected).heapUsed)
  }

  /** How many of such things keep the process's event loop busy: `Timeout`, `TCPSocketWrap`, … */
  async resources (type: string): Promise<number> {
    return this.#scrape(`nodejs_active_resources{type="${type}"}`)
  }

  async #scrape (series: string): Promise<number> {
    const answer = await fetch(`${this.#origins.length > 1 ? this.opsUrl : this.url}/metrics`)
    const line = (await answer.text()).split('\n').find((line) => line.startsWith(`${series} `))
    if (line === undefined) throw new Error(`no series ${series}`)
    return Number(line.slice(line.lastIndexOf(' ')))
  }
}

export function progress (n: number, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { type: 'progress', poId: 'po-1', progress: n % 101, message: `step ${n}`, timestamp: Date.now(), ...more }
}
