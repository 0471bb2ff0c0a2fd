import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { linesOf } from '../helpers/arrivals.js'
import { tracked } from './children.js'

/** A way to do what this service does. */
export interface Design {
  readonly name: string
  /** What Node is given to run. */
  readonly command: readonly string[]
  /** Of its environment, what is not as by default. */
  readonly settings: Readonly<Record<string, string>>
  /** Whether its events bear ids. */
  readonly ids: boolean
  /** File descriptors that one client takes in the server. */
  readonly filesPerClient: number
}

const pathOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))

/** What turns off the history of what was received, and with it the ids of events. */
export const HISTORY_OFF = { HISTORY_EVENTS_PER_MERCHANT: '0' }

export const thisService: Design = { name: 'this service', command: [pathOf('../../dist/server.js')], settings: {}, ids: true, filesPerClient: 1 }
export const historyOff: Design = { ...thisService, name: 'this service, history off', settings: HISTORY_OFF, ids: false }
export const oldDesign: Design = { name: 'old design', command: ['--import', import.meta.resolve('tsx'), pathOf('old-design.ts')], settings: {}, ids: false, filesPerClient: 2 }

/** A design at work, in a process of its own. */
export class ServerUnderTest {
  readonly port: number
  readonly #child: ChildProcess

  private constructor (port: number, child: ChildProcess) {
    this.port = port
    this.#child = child
  }

  /** Started, and listening. Limits on connections are out of the way, everything else is as by default, in the design's settings or in `more`. */
  static async start ({ command, settings }: Design, redisUrl: string, more: Readonly<Record<string, string>> = {}): Promise<ServerUnderTest> {
    const child = tracked(spawn(process.execPath, command, {
      env: { ...process.env, REDIS_URL: redisUrl, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'info', MAX_CONNECTIONS: '1000000', MAX_CONNECTIONS_PER_MERCHANT: '1000000', ...settings, ...more },
      stdio: ['ignore', 'pipe', 'inherit'],
    }))
    const listening = /listening at http:\/\/127\.0\.0\.1:(\d+)/
    const line = await linesOf(child.stdout).first((line) => listening.test(line))
    return new ServerUnderTest(Number(listening.exec(line)![1]), child)
  }

  get pid (): number {
    return this.#child.pid!
  }

  kill (): void {
    this.#child.kill('SIGKILL')
  }
}
