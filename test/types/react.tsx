/* What the types of `realtime-fanout/react` let through, and what they do not: checked by `npm run typecheck`, never run. */
import type { ReactElement } from 'react'
import type { GapEvent, ProgressEvent, PublishedEvents, RealtimeError } from 'realtime-fanout/client'
import { RealtimeProvider, RealTimeFeedback, useProgress, useSSEUpdates, type Order } from 'realtime-fanout/react'

interface Invoice {
  readonly type: 'invoice'
  readonly total: number
}

export function Typed (): ReactElement {
  const { events, error, gaps, state } = useSSEUpdates({ onGap: ({ reason }) => { takes<GapEvent['reason']>(reason) } })
  for (const event of events) {
    if (event.type === 'progress') takes<ProgressEvent>(event)
    // @ts-expect-error: it may be another event
    takes<ProgressEvent>(event)
    // @ts-expect-error: nothing says that there are such
    if (event.type === 'invoice') takes<unknown>(event)
  }
  takes<RealtimeError | undefined>(error)
  takes<readonly GapEvent[]>(gaps)
  // @ts-expect-error: there is no such state
  if (state === 'offline') takes<unknown>(state)
  // @ts-expect-error: they are shown, not changed
  events[0] = events[1]!

  const alone = useSSEUpdates<PublishedEvents & { invoice: Invoice }>({ url: '/events', merchantId: 'TEST', topics: ['progress'], onEvent: (event) => { if (event.type === 'invoice') takes<number>(event.total) } })
  for (const event of alone.events) if (event.type === 'invoice') takes<number>(event.total)
  // @ts-expect-error: a connection of its own needs a url
  useSSEUpdates({ merchantId: 'TEST' })

  const { progress, etaMs, order } = useProgress('po-1')
  takes<number>(progress)
  takes<number | undefined>(etaMs)
  takes<Order | undefined>(order)
  // @ts-expect-error: an order has an id
  useProgress()

  return (
    <>
      {/* @ts-expect-error: a provider needs a url */}
      <RealtimeProvider merchantId='TEST' />
      <RealtimeProvider url='/events' onGap={() => {}} onEvent={({ type }) => { takes<'progress' | 'stage' | 'completion' | 'error'>(type) }}>
        <RealTimeFeedback className='mine' texts={{ heading: 'Commandes', order: ({ poId }) => poId }} />
        {/* @ts-expect-error: a text is a text */}
        <RealTimeFeedback texts={{ heading: 1 }} />
      </RealtimeProvider>
    </>
  )
}

function takes<T> (value: T): T {
  return value
}
