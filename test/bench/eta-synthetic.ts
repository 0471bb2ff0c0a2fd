import type { StagePlan } from '../../src/publisher/eta.js'
import type { TypicalDuration } from '../../src/publisher/durations.js'
import type { Run, Step } from './eta-run.js'

/** A number of at least 0 and below 1. */
export type Random = () => number

/** Mulberry32: the same seed, the same numbers. */
export function seeded (seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Of mean 1 and this coefficient of variation: how long things take that are mostly alike, and now and then are not. */
export function lognormal (random: Random, cv: number): number {
  const variance = Math.log(1 + cv * cv)
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return Math.exp(Math.sqrt(variance) * normal - variance / 2)
}
