import { useMemo, useSyncExternalStore } from 'react'
import { useRealtimeStore } from './context.js'
import type { Order } from './orders.js'

/** The orders that were heard of, those first that were heard of last; at most 100. */
export function useOrders (): readonly Order[] {
  const store = useRealtimeStore()
  const orders = useSyncExternalStore(store.subscribe, () => store.snapshot().orders, () => store.blank().orders)
  return useMemo(() => [...orders.values()].reverse(), [orders])
}
