import { useEffect, useState, type ReactElement } from 'react'
import type { ConnectionState, GapEvent } from '../events.js'
import { Announcer } from './announcer.js'
import type { Order } from './orders.js'
import type { FeedbackTexts } from './texts.js'

export interface LiveRegionProps {
  readonly orders: readonly Order[]
  readonly state: ConnectionState
  readonly gap: GapEvent | undefined
  readonly texts: FeedbackTexts
}

/** What a screen reader says by itself. It is in the page, empty, before there is anything to say, or it would not be heard. */
export function LiveRegion ({ orders, state, gap, texts }: LiveRegionProps): ReactElement {
  const [text, setText] = useState('')
  const [announcer] = useState(() => new Announcer(setText))
  useEffect(() => () => { announcer.stop() }, [announcer])
  useEffect(() => { announcer.look({ orders, state, gap, texts }) }, [announcer, orders, state, gap, texts])
  return <p className='realtime-feedback__announcement' role='status' aria-live='polite'>{text}</p>
}
