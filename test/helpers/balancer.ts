import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'
import { Arrivals } from './arrivals.js'
import type { Service } from './service.js'

const CHECK_MS = 50

/** A TCP load balancer: it deals connections out in turn to the instances that say that they are ready. */
export class Balancer {
  readonly port: number
  readonly #instances: Set<Service>
  readonly #sockets = new Set<Socket>()
  /** Those of them that are connections of clients. */
  readonly #near = new Set<Socket>()
  readonly #joined = new Arrivals<Service>()
  #ready: readonly Service[] = []
  #next = 0
  #cut = false

  private constructor (port: number, instances: Iterable<Service>) {
    this.port = port
    this.#instances = new Set(instances)
  }

  /** @param checkMs how long after one look at who is ready it takes the next. */
  static async start (t: Pick<Test, 'teardown'>, instances: Iterable<Service>, checkMs = CHECK_MS): Promise<Balancer> {
    const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
    await once(server, 'listening')
    const balancer = new Balancer((server.address() as AddressInfo).port, instances)
    server.on('connection', (near) => { balancer.#accept(near) })
    const checking = new AbortController()
    const checked = balancer.#check(checking.signal, checkMs)
    t.teardown(async () => {
      checking.abort()
      server.close()
      for (const socket of balancer.#sockets) socket.destroy()
      await checked
    })
    return balancer
  }

  get url (): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** From now on this one is dealt to, too, whenever it is ready. */
  add (instance: Service): void {
    this.#instances.add(instance)
  }

  /** From now on nothing more is dealt to this one; what it was dealt it keeps. */
  remove (instance: Service): void {
    this.#instances.delete(instance)
    this.#ready = this.#ready.filter((each) => each !== instance)
  }

  /** Resolves once it deals to this instance. */
  async dealsTo (instance: Service): Promise<void> {
    if (!this.#ready.includes(instance)) await this.#joined.next((each) => each === instance)
  }

  /**
   * The way to the clients is cut: connections end, and none comes about until {@link Balancer.mend}.
   * @param share how many of the connections end: 0–1.
   */
  cut (share = 1): void {
    this.#cut = true
    const doomed = [...this.#near].slice(0, Math.ceil(this.#near.size * share))
    for (const near of doomed) near.destroy()
  }

  mend (): void {
    this.#cut = false
  }

  #accept (near: Socket): void {
    near.on('error', () => { /* 'close' follows. */ })
    if (this.#cut) {
      near.destroy()
      return
    }
    this.#keep(near, this.#near)
    this.#dial(near, this.#inTurn())
  }

  /** Connects a client to the first of these that can be connected to: one that is dead is found out here before it is by a check. */
  #dial (near: Socket, [instance, ...others]: readonly Service[]): void {
    if (instance === undefined || near.destroyed) {
      near.destroy()
      return
    }
    const far = connect(instance.port, '127.0.0.1')
    this.#keep(far)
    const giveUp = () => { far.destroy() }
    const dialNext = () => {
      near.off('close', giveUp)
      this.#dial(near, others)
    }
    near.once('close', giveUp)
    far.once('error', dialNext)
    far.once('connect', () => {
      far.off('error', dialNext)
      far.on('error', () => { /* 'close' follows. */ })
      // What an instance said before it ended the connection still has to get through.
      far.on('close', (failed) => { if (failed) near.destroy(); else near.end() })
      near.pipe(far).pipe(near)
    })
  }

  #keep (socket: Socket, ...others: Array<Set<Socket>>): void {
    for (const set of [this.#sockets, ...others]) {
      set.add(socket)
      socket.once('close', () => { set.delete(socket) })
    }
  }

  /** All that are ready, beginning with the one whose turn it is. */
  #inTurn (): Service[] {
    const first = this.#next++ % Math.max(1, this.#ready.length)
    return [...this.#ready.slice(first), ...this.#ready.slice(0, first)]
  }

  async #check (signal: AbortSignal, checkMs: number): Promise<void> {
    while (!signal.aborted) {
      const instances = [...this.#instances]
      const answers = await Promise.all(instances.map(isReady))
      const before = this.#ready
      // Some may have been removed meanwhile.
      this.#ready = instances.filter((instance, i) => answers[i] === true && this.#instances.has(instance))
      for (const instance of this.#ready) if (!before.includes(instance)) this.#joined.add(instance)
      await new Promise((resolve) => { setTimeout(resolve, checkMs) })
    }
  }
}

async function isReady ({ url }: Service): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/readyz`)
    await answer.arrayBuffer() // So that the connection is good for the next one.
    return answer.ok
  } catch {
    return false
  }
}
