import { createContext, useContext } from 'react'
import type { RealtimeStore } from './store.js'

/** The store of the nearest provider. */
export const RealtimeContext = createContext<RealtimeStore | undefined>(undefined)

/** @throws {Error} outside of a provider. */
export function useRealtimeStore (): RealtimeStore {
  const store = useContext(RealtimeContext)
  if (store === undefined) throw new Error('there is no RealtimeProvider around this')
  return store
}
