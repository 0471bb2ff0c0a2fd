import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Service } from '../helpers/service.js'
import type { Scope } from '../chaos/scope.js'
import type { Diary } from './diary.js'
import { probe } from './probe.js'
import { graceSeconds, type Values } from './values.js'

/** One process of the service, and what a kubelet does to it. Emits `readiness` when that has changed. */
export class Pod extends EventEmitter<{ readiness: [] }> {
  readonly name: string
  readonly #service: Service
  readonly #values: Values
  readonly #diary: Diary
  /** When nothing is asked of it any more. */
  readonly #told = new AbortController()
  #ready = false

  private constructor (name: string, service: Service, values: Values, diary: Diary) {
    super()
    this.name = name
    this.#service = service
    this.#values = values
    this.#diary = diary
  }

  /** Its process listens; the kubelet begins to ask. */
  static async start (scope: Scope, name: string, values: Values, env: Readonly<Record<string, string>>, diary: Diary): Promise<Pod> {
    const service = await Service.start(scope, { NODE_ENV: 'production', OPS_PORT: '0', LOG_LEVEL: 'info', ...values.env, ...env })
    const pod = new Pod(name, service, values, diary)
    diary.note(`${name} has started`)
    // Nobody is left who would mind, and an end with order takes seconds.
    scope.teardown(() => {
      pod.#told.abort()
      service.signal('SIGKILL')
    })
    void service.exit.then(({ code, signal }) => {
      if (pod.#told.signal.aborted) return
      diary.badEnds++
      diary.complain(`${name} ended by itself with ${signal ?? code}: ${service.printed.join('; ')}`)
    })
    void pod.#ask()
    return pod
  }

  get port (): number {
    return this.#service.port
  }

  /** Whether it belongs to the endpoints. */
  get ready (): boolean {
    return this.#ready
  }

  /** Resolves once it has been ready for minReadySeconds. */
  async available (): Promise<void> {
    for (;;) {
      while (!this.#ready) await once(this, 'readiness')
      const unready = once(this, 'readiness').then(() => false)
      if (await Promise.race([unready, sleep(this.#values.minReadySeconds * 1_000, true)])) return
    }
  }

  /** The end of it: off the endpoints at once; preStop; SIGTERM; and SIGKILL, when its time is over. Resolves when it is gone. */
  async terminate (): Promise<void> {
    const { preStopSeconds } = this.#values
    const toldAt = performance.now()
    const seconds = () => ((performance.now() - toldAt) / 1_000).toFixed(1)
    this.#told.abort()
    this.#become(false, 'is to end')
    const killing = setTimeout(() => { this.#service.signal('SIGKILL') }, graceSeconds(this.#values) * 1_000)
    await sleep(preStopSeconds * 1_000)
    this.#diary.note(`${this.name}: SIGTERM`)
    this.#service.signal('SIGTERM')
    const { code, signal } = await this.#service.exit
    clearTimeout(killing)
    const ended = `${this.name} ended with ${signal ?? code} after ${seconds()} of ${graceSeconds(this.#values)} s`
    if (code === 0) {
      this.#diary.note(ended)
    } else {
      this.#diary.badEnds++
      this.#diary.complain(ended)
    }
  }

  async #ask (): Promise<void> {
    const { startupProbe, readinessProbe, livenessProbe } = this.#values
    const { opsUrl } = this.#service
    const up = new AbortController()
    await probe(opsUrl, startupProbe, AbortSignal.any([up.signal, this.#told.signal]), (yes) => {
      if (yes) up.abort()
      else this.#diary.complain(`${this.name} did not start: the kubelet would restart it`)
    })
    void probe(opsUrl, readinessProbe, this.#told.signal, (yes) => { this.#become(yes, yes ? 'is ready' : 'is not ready') })
    void probe(opsUrl, livenessProbe, this.#told.signal, (yes) => {
      if (yes) return
      this.#diary.restarts++
      this.#diary.complain(`${this.name} seems dead: the kubelet would restart it`)
    })
  }

  #become (ready: boolean, says: string): void {
    if (ready === this.#ready) return
    this.#ready = ready
    this.#diary.note(`${this.name} ${says}`)
    this.emit('readiness')
  }
}
