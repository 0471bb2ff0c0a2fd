import { isTopic } from '../message.js'

/** How many topics one client may name: each distinct filter of a merchant costs one more encoding a turn. */
export const MAX_TOPICS = 32

/** The topics that a client asked for. Filters with the same `key` accept the same topics. */
export class Filter {
  readonly key: string
  readonly #topics: ReadonlySet<string>

  private constructor (topics: readonly string[]) {
    this.key = topics.join()
    this.#topics = new Set(topics)
  }

  /** Reads `progress,error`; `undefined` where that is no list of 1–{@link MAX_TOPICS} topics. */
  static parse (list: string): Filter | undefined {
    const topics = [...new Set(list.split(','))].sort()
    return topics.length <= MAX_TOPICS && topics.every(isTopic) ? new Filter(topics) : undefined
  }

  /** Whether all that the other accepts is accepted. */
  covers (other: Filter): boolean {
    return [...other.#topics].every((topic) => this.#topics.has(topic))
  }

  accepts (topic: string): boolean {
    return this.#topics.has(topic)
  }
}
