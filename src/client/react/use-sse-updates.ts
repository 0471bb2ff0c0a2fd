import { useContext, useSyncExternalStore } from 'react'
import type { RealtimeOptions } from '../client.js'
import type { RealtimeError } from '../errors.js'
import type { ConnectionState, GapEvent, PublishedEvents } from '../events.js'
import { RealtimeContext } from './context.js'
import type { RealtimeCallbacks, RealtimeEvent } from './store.js'
import { useCallbacks } from './use-callbacks.js'
import { useOwnStore } from './use-own-store.js'

/** With a `url`, the component has a connection of its own; without, it needs a provider around it. */
export type UpdatesOptions<Events = PublishedEvents> = RealtimeCallbacks<Events> & (RealtimeOptions | { readonly url?: undefined })

export interface Updates<Events = PublishedEvents> {
  /** The newest first, at most 100. For each single one, however many come at once, there is `onEvent`. */
  readonly events: ReadonlyArray<RealtimeEvent<Events>>
  /** Whether what is published comes. */
  readonly isConnected: boolean
  readonly state: ConnectionState
  /** Why there is no connection; `undefined` while there is one. A published `error` is an event, and none of this. */
  readonly error: RealtimeError | undefined
  /** Events may be missing between these times, as of when they were told of; the newest first, at most 100. */
  readonly gaps: readonly GapEvent[]
  /** Forgets events and gaps. */
  readonly clearEvents: () => void
  /** Connects anew at once, whatever the state is. */
  readonly reconnect: () => void
}

/**
 * What is published, as it comes. Renders at most once per animation frame. The type argument adds events that are
 * published beside the four: `useSSEUpdates<PublishedEvents & { invoice: Invoice }>()`.
 * @throws {Error} without a `url`, outside of a provider.
 */
export function useSSEUpdates<Events = PublishedEvents> (options: UpdatesOptions<Events> = {}): Updates<Events> {
  const { onEvent, onGap } = options as RealtimeCallbacks
  const own = useOwnStore(options.url === undefined ? undefined : options)
  const provided = useContext(RealtimeContext)
  const store = own ?? provided
  if (store === undefined) throw new Error('there is neither a url nor a RealtimeProvider around this')
  useCallbacks(store, { onEvent, onGap })
  const { events, state, error, gaps } = useSyncExternalStore(store.subscribe, store.snapshot, store.blank)
  return {
    events: events as ReadonlyArray<RealtimeEvent<Events>>,
    isConnected: state === 'open',
    state,
    error,
    gaps,
    clearEvents: store.clearEvents,
    reconnect: store.reconnect,
  }
}
