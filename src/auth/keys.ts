import { createHash, timingSafeEqual } from 'node:crypto'
import { bearerOf } from './credential.js'

/** Keys of which any one is good. Comparing takes the same time whatever is presented. */
export class Keys {
  readonly #digests: readonly Buffer[]

  constructor (keys: readonly string[]) {
    this.#digests = keys.map(digest)
  }

  get none (): boolean {
    return this.#digests.length === 0
  }

  /** Which of the keys, counted from 0, an `Authorization` header holds; -1 for none. */
  indexOf (authorization: string | undefined): number {
    const presented = bearerOf(authorization)
    return presented === undefined ? -1 : this.indexOfKey(presented)
  }

  /** Which of the keys, counted from 0, this is; -1 for none. */
  indexOfKey (presented: string): number {
    const candidate = digest(presented)
    let found = -1
    for (const [i, key] of this.#digests.entries()) if (timingSafeEqual(key, candidate)) found = i
    return found
  }
}

// Digests are of equal length, which timingSafeEqual demands, and hide the length of the keys.
function digest (key: string): Buffer {
  return createHash('sha256').update(key).digest()
}
