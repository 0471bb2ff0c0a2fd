import type { Scope } from '../chaos/scope.js'
import type { Diary } from './diary.js'
import type { Endpoints } from './endpoints.js'
import { Pod } from './pod.js'
import type { Values } from './values.js'

/** So many pods, and their replacement with maxSurge 1 and maxUnavailable 0. */
export class Deployment {
  readonly #scope: Scope
  readonly #values: Values
  readonly #env: Readonly<Record<string, string>>
  readonly #endpoints: Endpoints
  readonly #diary: Diary
  #pods: readonly Pod[] = []
  #started = 0

  /** @param env what the service is told beside the values. */
  constructor (scope: Scope, values: Values, env: Readonly<Record<string, string>>, endpoints: Endpoints, diary: Diary) {
    this.#scope = scope
    this.#values = values
    this.#env = env
    this.#endpoints = endpoints
    this.#diary = diary
  }

  /** Resolves when all pods are available. */
  async start (): Promise<void> {
    this.#pods = await Promise.all(Array.from({ length: this.#values.replicas }, async () => this.#launch()))
  }

  /**
   * When a new pod is available, an old one is told to end; the next one starts at once, and does not wait for that.
   * Resolves when all old ones are gone.
   * @param begins is told what happens next.
   */
  async roll (begins: (what: string) => void): Promise<void> {
    const endings: Array<Promise<void>> = []
    let leaving = ''
    for (const old of this.#pods) {
      begins(`${leaving}pod-${this.#started + 1} comes`)
      const pod = await this.#launch()
      this.#pods = [...this.#pods.filter((each) => each !== old), pod]
      leaving = `${old.name} goes, `
      endings.push(old.terminate())
    }
    begins(leaving.replace(', ', ''))
    await Promise.all(endings)
  }

  /** Resolves when the new pod is available. */
  async #launch (): Promise<Pod> {
    const pod = await Pod.start(this.#scope, `pod-${++this.#started}`, this.#values, this.#env, this.#diary)
    this.#endpoints.follow(pod)
    await pod.available()
    this.#diary.note(`${pod.name} is available`)
    return pod
  }
}
