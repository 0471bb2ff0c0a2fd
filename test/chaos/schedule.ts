import { faults, type Fault, type Luck } from './faults.js'
import { Random } from '../../src/demo/random.js'

/** Which fault comes when. */
export interface Schedule {
  readonly luck: Luck
  /** For how long nothing happens before a fault, in milliseconds. */
  calm (): number
  faults (): Iterable<Fault>
}

/** Each fault once, in their order, as strong as they say. */
export function once (seed: number): Schedule {
  const random = new Random(seed)
  return {
    luck: { random, full: true, lasting: (usualMs) => usualMs, share: () => 1 },
    calm: () => 0,
    faults: () => faults,
  }
}

/** All faults again and again in a random order, of random strength, until the time is over. */
export function during (minutes: number, seed: number): Schedule {
  const random = new Random(seed)
  return {
    luck: { random, full: false, lasting: (usualMs) => random.between(0.2, 1.2) * usualMs, share: () => random.between(0.1, 1) },
    calm: () => random.between(0, 3_000),
    * faults () {
      const end = performance.now() + minutes * 60_000
      for (;;) {
        for (const fault of shuffled(faults, random)) {
          if (performance.now() >= end) return
          yield fault
        }
      }
    },
  }
}

function shuffled<T> (items: readonly T[], random: Random): T[] {
  const all = [...items]
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1))
    ;[all[i], all[j]] = [all[j]!, all[i]!]
  }
  return all
}
