import { spawn, type ChildProcess } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import type { Scope } from '../chaos/scope.js'
import { within } from '../chaos/within.js'
import { linesOf, type Arrivals } from '../helpers/arrivals.js'
import { freePort } from '../helpers/free-port.js'

const READ_TIMEOUT_S = 60
const RELOAD_MS = 10_000
const STARTED = /\[notice\] .*start worker process \d/
const WRONG = /\[(?:warn|error|crit|alert|emerg)\]/

/** A real nginx in front of the endpoints. A reload leaves old workers to the streams that they have. */
export class Nginx {
  readonly port: number
  readonly #folder: string
  readonly #process: ChildProcess
  readonly #lines: Arrivals<string>

  private constructor (port: number, folder: string) {
    this.port = port
    this.#folder = folder
    configure(folder, port, [])
    this.#process = spawn('nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], {
      // Where Debian has it, only root looks; where ensure-tools.js unpacks it, nobody.
      env: { ...process.env, PATH: [process.env.PATH, '/usr/sbin', resolve('node_modules/.cache/tools/usr/sbin')].join(delimiter) },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#lines = linesOf(this.#process.stderr!)
  }

  /** Accepts connections; there are no endpoints yet. */
  static async start (scope: Scope): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), 'rehearsal-'))
    scope.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
    const nginx = new Nginx(await freePort(), folder)
    scope.teardown(() => { nginx.#process.kill('SIGTERM') })
    await within(RELOAD_MS, nginx.#lines.first((line) => STARTED.test(line)), () => `nginx has not started: ${nginx.wrong.join('; ')}`)
    return nginx
  }

  get url (): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** What it has complained of. */
  get wrong (): readonly string[] {
    return this.#lines.all.filter((line) => WRONG.test(line))
  }

  /** Resolves when new connections go to these ports. */
  async route (ports: readonly number[]): Promise<void> {
    configure(this.#folder, this.port, ports)
    const reloaded = this.#lines.next((line) => STARTED.test(line))
    this.#process.kill('SIGHUP')
    await within(RELOAD_MS, reloaded, () => `nginx has not reloaded: ${this.wrong.join('; ')}`)
  }
}

/** `proxy_read_timeout` is longer than a heartbeat takes; without `worker_shutdown_timeout`, a reload cuts no stream. */
function configure (folder: string, port: number, pods: readonly number[]): void {
  const upstream = `upstream pods { ${pods.map((pod) => `server 127.0.0.1:${pod};`).join(' ')} }`
  const proxy = `proxy_pass http://pods; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_read_timeout ${READ_TIMEOUT_S}s;`
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`).join(' ')
  writeFileSync(join(folder, 'nginx.conf'), `
    daemon off;
    pid nginx.pid;
    error_log stderr notice;
    worker_processes auto;
    events { worker_connections 8192; }
    http {
      access_log off;
      ${temporary}
      ${pods.length === 0 ? '' : upstream}
      server {
        listen 127.0.0.1:${port} backlog=4096;
        location / { ${pods.length === 0 ? 'return 503;' : proxy} }
      }
    }
  `)
}
