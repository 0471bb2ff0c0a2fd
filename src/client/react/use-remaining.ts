import { useSyncExternalStore } from 'react'
import { Clock } from './clock.js'
import type { Eta } from './orders.js'

const clock = new Clock()
const neverTicks = () => () => {}

/** What of an estimate is left, in milliseconds, never below 0. Counts down once a second. */
export function useRemaining (eta: Eta | undefined): number | undefined {
  const now = useSyncExternalStore(eta === undefined ? neverTicks : clock.subscribe, clock.now, clock.now)
  return eta === undefined ? undefined : remainingMs(eta, now)
}

function remainingMs ({ ms, toldAt }: Eta, now: number): number {
  // The last tick may have been before it was told.
  return Math.max(0, ms - Math.max(0, now - toldAt))
}
