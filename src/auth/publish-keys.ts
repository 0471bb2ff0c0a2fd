import { createHash, timingSafeEqual } from 'node:crypto'
import { bearerOf } from './credential.js'

/** The keys that may publish over HTTP. Comparing takes the same time whatever is presented. */
export class PublishKeys {
  readonly #digests: readonly Buffer[]

  constructor (keys: readonly string[]) {
    this.#digests = keys.map(digest)
  }

  get none (): boolean {
    return this.#digests.length === 0
  }

  /** Whether an `Authorization` header holds one of the keys. */
  accept (authorization: string | undefined): boolean {
    const presented = bearerOf(authorization)
    if (presented === undefined) return false
    const candidate = digest(presented)
    let accepted = false
    for (const key of this.#digests) accepted = timingSafeEqual(key, candidate) || accepted
    return accepted
  }
}

// Digests are of equal length, which timingSafeEqual demands, and hide the length of the keys.
function digest (key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
