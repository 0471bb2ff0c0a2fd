import type { ReactElement, ReactNode } from 'react'
import type { RealtimeOptions } from '../client.js'
import { RealtimeContext } from './context.js'
import type { RealtimeCallbacks } from './store.js'
import { useCallbacks } from './use-callbacks.js'
import { useOwnStore } from './use-own-store.js'

export interface RealtimeProviderProps extends RealtimeOptions, RealtimeCallbacks {
  readonly children?: ReactNode
}

/** One connection for all that is inside of it, as long as it is mounted. */
export function RealtimeProvider ({ children, onEvent, onGap, ...options }: RealtimeProviderProps): ReactElement {
  const store = useOwnStore(options)
  useCallbacks(store, { onEvent, onGap })
  return <RealtimeContext.Provider value={store}>{children}</RealtimeContext.Provider>
}
