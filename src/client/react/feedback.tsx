import { useCallback, useId, useMemo, useRef, useState, useSyncExternalStore, type ReactElement } from 'react'
import type { GapEvent } from '../events.js'
import { ConnectionIndicator } from './connection-indicator.js'
import { useRealtimeStore } from './context.js'
import { Icon } from './icon.js'
import { LiveRegion } from './live-region.js'
import { OrderCard } from './order-card.js'
import { ENGLISH, type FeedbackTexts } from './texts.js'
import { useOrders } from './use-orders.js'

export interface RealTimeFeedbackProps {
  /** What it says otherwise than in English; the same object each time, or all is rendered anew. */
  readonly texts?: Partial<FeedbackTexts> | undefined
  /** Beside its own one. */
  readonly className?: string | undefined
}

/**
 * The purchase orders that were heard of, those first that were heard of last, and how they go; and whether there is a
 * connection. Needs a provider around it, and `realtime-fanout/react/styles.css` in the page.
 */
export function RealTimeFeedback ({ texts: given, className }: RealTimeFeedbackProps): ReactElement {
  const id = useId()
  const root = useRef<HTMLElement & { focus (): void }>(null)
  const texts = useMemo(() => ({ ...ENGLISH, ...given }), [given])
  const store = useRealtimeStore()
  const orders = useOrders()
  const state = useSyncExternalStore(store.subscribe, () => store.snapshot().state, () => store.blank().state)
  const error = useSyncExternalStore(store.subscribe, () => store.snapshot().error, () => store.blank().error)
  const gaps = useSyncExternalStore(store.subscribe, () => store.snapshot().gaps, () => store.blank().gaps)
  const [seenGap, setSeenGap] = useState<GapEvent>()
  // What is pressed and vanishes would take the focus along.
  const keepFocus = useCallback(() => { root.current?.focus() }, [])
  const dismiss = useCallback((poId: string) => {
    store.forget(poId)
    keepFocus()
  }, [store, keepFocus])
  return (
    <section ref={root} className={`realtime-feedback${className === undefined ? '' : ` ${className}`}`} aria-labelledby={id} tabIndex={-1}>
      <header className='realtime-feedback__header'>
        <h2 className='realtime-feedback__heading' id={id}>{texts.heading}</h2>
        <ConnectionIndicator state={state} texts={texts} />
      </header>
      {state === 'closed' && (
        <div className='realtime-feedback__notice' data-kind='offline'>
          <Icon shape='offline' />
          <p>{texts.offline(error)}</p>
          <button type='button' className='realtime-feedback__button' onClick={() => { store.reconnect(); keepFocus() }}>
            {texts.reconnect}
          </button>
        </div>
      )}
      {gaps[0] !== undefined && gaps[0] !== seenGap && (
        <div className='realtime-feedback__notice' data-kind='missed'>
          <Icon shape='warning' />
          <p>{texts.missed}</p>
          <button type='button' className='realtime-feedback__dismiss' aria-label={texts.hide} onClick={() => { setSeenGap(gaps[0]); keepFocus() }}>
            <Icon shape='failed' />
          </button>
        </div>
      )}
      {orders.length === 0 && state !== 'closed' && <p className='realtime-feedback__empty'>{state === 'open' ? texts.empty : texts.waiting}</p>}
      {orders.length > 0 && (
        <ul className='realtime-feedback__orders'>
          {orders.map((order) => <OrderCard key={order.poId} order={order} texts={texts} onDismiss={dismiss} />)}
        </ul>
      )}
      <LiveRegion orders={orders} state={state} gap={gaps[0]} texts={texts} />
    </section>
  )
}
