import { useEffect, useRef } from 'react'
import type { RealtimeCallbacks, RealtimeStore } from './store.js'

/** Has the latest of these functions called, as long as the component is mounted. */
export function useCallbacks (store: RealtimeStore | undefined, { onEvent, onGap }: RealtimeCallbacks): void {
  const latest = useRef<RealtimeCallbacks>({})
  useEffect(() => { latest.current = { onEvent, onGap } })
  useEffect(() => store?.listen({
    onEvent: (event) => { latest.current.onEvent?.(event) },
    onGap: (gap) => { latest.current.onGap?.(gap) },
  }), [store])
}
