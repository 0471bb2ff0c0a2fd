import { useSyncExternalStore } from 'react'
import { useRealtimeStore } from './context.js'
import type { Order } from './orders.js'
import { useRemaining } from './use-remaining.js'

export interface Progress {
  /** 0–100, as it was last told; 0 before it was. */
  readonly progress: number
  readonly message: string | undefined
  readonly stage: string | undefined
  /** What it will take, still, in milliseconds: counts down once a second, never below 0. */
  readonly etaMs: number | undefined
  readonly done: boolean
  readonly failed: boolean
  /** Why it failed, if it has. */
  readonly error: string | undefined
  /** All that is known; `undefined` before it was heard of. */
  readonly order: Order | undefined
}

/** How one purchase order goes. Renders when it is told of, at most once per animation frame, and once a second while there is an estimate. */
export function useProgress (poId: string): Progress {
  const store = useRealtimeStore()
  const order = useSyncExternalStore(store.subscribe, () => store.snapshot().orders.get(poId), () => undefined)
  const etaMs = useRemaining(order?.eta)
  return {
    progress: order?.progress ?? 0,
    message: order?.message,
    stage: order?.stage,
    etaMs,
    done: order?.status === 'done',
    failed: order?.status === 'failed',
    error: order?.error,
    order,
  }
}
