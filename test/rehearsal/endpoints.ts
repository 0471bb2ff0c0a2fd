import { setTimeout as sleep } from 'node:timers/promises'
import type { Diary } from './diary.js'
import type { Nginx } from './nginx.js'
import type { Pod } from './pod.js'

/** The pods that are ready, of which the proxy hears some time after each change. */
export class Endpoints {
  readonly #nginx: Nginx
  readonly #propagationMs: number
  readonly #diary: Diary
  #pods: readonly Pod[] = []
  /** When the proxy goes by all that has changed so far. */
  #known: Promise<void> = Promise.resolve()

  constructor (nginx: Nginx, propagationMs: number, diary: Diary) {
    this.#nginx = nginx
    this.#propagationMs = propagationMs
    this.#diary = diary
  }

  /** From now on it is one of them whenever it is ready. */
  follow (pod: Pod): void {
    pod.on('readiness', () => {
      this.#pods = [...this.#pods.filter((each) => each !== pod), ...(pod.ready ? [pod] : [])]
      const delay = sleep(this.#propagationMs)
      const pods = this.#pods
      this.#known = this.#known.then(async () => {
        await delay
        await this.#tell(pods)
      })
    })
  }

  /** Resolves when the proxy knows. */
  async known (): Promise<void> {
    await this.#known
  }

  async #tell (pods: readonly Pod[]): Promise<void> {
    try {
      await this.#nginx.route(pods.map(({ port }) => port))
      this.#diary.note(`nginx sends new clients to ${pods.map(({ name }) => name).join(', ') || 'nobody'}`)
    } catch (error) {
      this.#diary.complain((error as Error).message)
    }
  }
}
