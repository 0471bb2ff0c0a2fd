import { useSyncExternalStore } from 'react'
import { useRealtimeStore } from './context.js'
import type { Eta } from './orders.js'

const neverTicks = () => () => {}

/**
 * What of an estimate is left, in milliseconds, never below 0. Counts down once a second.
 * @throws {Error} outside of a provider.
 */
export function useRemaining (eta: Eta | undefined): number | undefined {
  const { clock } = useRealtimeStore()
  const remaining = () => eta === undefined ? undefined : remainingMs(eta, clock.now())
  return useSyncExternalStore(eta === undefined ? neverTicks : clock.subscribe, remaining, remaining)
}

function remainingMs ({ ms, toldAt }: Eta, now: number): number {
  // The last tick may have been before it was told.
  return Math.max(0, ms - Math.max(0, now - toldAt))
}
