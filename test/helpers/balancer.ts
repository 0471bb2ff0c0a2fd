import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'
import type { Service } from './service.js'

const CHECK_MS = 50

/** A TCP load balancer: it deals connections out in turn to the instances that say that they are ready. */
export class Balancer {
  readonly port: number
  readonly #instances: readonly Service[]
  #ready: readonly Service[] = []
  #next = 0

  private constructor (port: number, instances: readonly Service[]) {
    this.port = port
    this.#instances = instances
  }

  static async start (t: Test, instances: readonly Service[]): Promise<Balancer> {
    const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
    await once(server, 'listening')
    const balancer = new Balancer((server.address() as AddressInfo).port, instances)
    const sockets = new Set<Socket>()
    server.on('connection', (near) => {
      const instance = balancer.#choose()
      if (instance === undefined) {
        near.destroy()
        return
      }
      const far = connect(instance.port, '127.0.0.1')
      for (const [end, other] of [[near, far], [far, near]] as const) {
        sockets.add(end)
        end.pipe(other)
        end.on('error', () => { /* 'close' follows. */ })
        end.on('close', () => {
          sockets.delete(end)
          other.destroy()
        })
      }
    })
    const checking = new AbortController()
    const checked = balancer.#check(checking.signal)
    t.teardown(async () => {
      checking.abort()
      await checked
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    return balancer
  }

  get url (): string {
    return `http://127.0.0.1:${this.port}`
  }

  #choose (): Service | undefined {
    return this.#ready[this.#next++ % this.#ready.length]
  }

  async #check (signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const answers = await Promise.all(this.#instances.map((instance) => fetch(`${instance.url}/readyz`).then(({ ok }) => ok, () => false)))
      this.#ready = this.#instances.filter((_, i) => answers[i])
      await new Promise((resolve) => { setTimeout(resolve, CHECK_MS) })
    }
  }
}
