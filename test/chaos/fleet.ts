import { setTimeout as sleep } from 'node:timers/promises'
import { expositionOf, valueOf, type Exposition } from '../bench/exposition.js'
import { Balancer } from '../helpers/balancer.js'
import { Service, type Environment } from '../helpers/service.js'
import type { Scope } from './scope.js'

const SIZE = 3
const CHECK_MS = 200
const LOOK_MS = 250
/** Metrics that are summed over all instances. */
const COUNTED = /^realtime_(?:resumes_total|gaps_total)\{/

/** The instances behind their load balancers. */
export class Fleet {
  /** The way of the clients, which can be cut. */
  readonly clients: Balancer
  /** The way of who publishes over HTTP. */
  readonly publishers: Balancer
  /** Instances that ended by themselves, or in another way than they were told to. */
  readonly faults: string[] = []
  readonly #scope: Scope
  readonly #env: Environment
  #instances: readonly Service[] = []
  /** What each instance counted when it was last asked, those that are gone included. */
  readonly #counted = new Map<Service, Exposition>()

  private constructor (scope: Scope, env: Environment, clients: Balancer, publishers: Balancer) {
    this.#scope = scope
    this.#env = env
    this.clients = clients
    this.publishers = publishers
  }

  /** All instances are ready. */
  static async start (scope: Scope, env: Environment): Promise<Fleet> {
    const fleet = new Fleet(scope, env, await Balancer.start(scope, [], CHECK_MS), await Balancer.start(scope, [], CHECK_MS))
    fleet.#instances = await Promise.all(Array.from({ length: SIZE }, async () => fleet.#launch()))
    return fleet
  }

  get instances (): readonly Service[] {
    return this.#instances
  }

  /** As Kubernetes does it with maxSurge 1 and maxUnavailable 0: a new instance, and when it is ready, an old one is told to end. */
  async roll (): Promise<void> {
    const endings: Array<Promise<void>> = []
    for (const old of this.#instances) {
      const instance = await this.#launch()
      this.#instances = [...this.#instances.filter((each) => each !== old), instance]
      endings.push(this.#end(old))
    }
    await Promise.all(endings)
  }

  /** SIGKILL, and another one in its place. */
  async replace (victim: Service): Promise<void> {
    await this.#count(victim)
    this.#instances = this.#instances.filter((each) => each !== victim)
    victim.signal('SIGKILL')
    await victim.exit
    this.#leave(victim)
    this.#instances = [...this.#instances, await this.#launch()]
  }

  /** Resolves when the subscriptions of all instances are seen to have stood for so long. */
  async stood (ms: number): Promise<void> {
    for (;;) {
      const ages = await Promise.all(this.#instances.map(async ({ port }) => {
        const exposition = await expositionOf(port)
        return valueOf(exposition, 'realtime_redis_connected') === 1 ? valueOf(exposition, 'realtime_redis_subscription_age_seconds') * 1_000 : 0
      }))
      if (Math.min(...ages) >= ms) return
      await sleep(LOOK_MS)
    }
  }

  /** How often instances have lost their subscriptions, those that are gone included. */
  get losses (): number {
    return [...this.#counted.keys()].reduce((sum, { log }) => sum + log.all.filter(({ msg }) => msg === 'subscription lost').length, 0)
  }

  /** The sums of what instances count of resumes and gaps, as far as those that are gone could be asked. */
  async counters (): Promise<Map<string, number>> {
    await Promise.all(this.#instances.map(async (instance) => this.#count(instance)))
    const sums = new Map<string, number>()
    for (const exposition of this.#counted.values()) {
      for (const [name, value] of exposition) if (COUNTED.test(name)) sums.set(name, (sums.get(name) ?? 0) + value)
    }
    return sums
  }

  /** Started, and dealt to by both balancers. */
  async #launch (): Promise<Service> {
    const instance = await Service.start(this.#scope, this.#env)
    // Nobody is left who would mind, and an end with order takes seconds.
    this.#scope.teardown(() => { instance.signal('SIGKILL') })
    this.#counted.set(instance, new Map())
    void instance.exit.then(({ code, signal }) => {
      if (this.#instances.includes(instance)) this.faults.push(`an instance ended by itself with ${signal ?? code}: ${instance.printed.join('; ')}`)
    })
    const balancers = [this.clients, this.publishers]
    for (const balancer of balancers) balancer.add(instance)
    await Promise.all(balancers.map(async (balancer) => balancer.dealsTo(instance)))
    return instance
  }

  /** SIGTERM; resolves when it is gone. */
  async #end (instance: Service): Promise<void> {
    instance.signal('SIGTERM')
    const gone = instance.exit.then(() => true)
    while (!await Promise.race([gone, sleep(LOOK_MS, false)])) await this.#count(instance)
    const { code, signal } = await instance.exit
    if (code !== 0) this.faults.push(`an instance that was told to end did so with ${signal ?? code}: ${instance.printed.join('; ')}`)
    this.#leave(instance)
  }

  #leave (instance: Service): void {
    for (const balancer of [this.clients, this.publishers]) balancer.remove(instance)
  }

  /** What it counts, if it still answers. */
  async #count (instance: Service): Promise<void> {
    const exposition = await expositionOf(instance.port).catch(() => undefined)
    if (exposition !== undefined) this.#counted.set(instance, exposition)
  }
}
