import type { ReactElement } from 'react'
import type { ConnectionState } from '../events.js'
import { Icon } from './icon.js'
import type { FeedbackTexts } from './texts.js'

export interface ConnectionIndicatorProps {
  readonly state: ConnectionState
  readonly texts: FeedbackTexts
}

const SHAPES = { connecting: 'connecting', open: 'live', reconnecting: 'connecting', closed: 'offline' } as const

export function ConnectionIndicator ({ state, texts }: ConnectionIndicatorProps): ReactElement {
  return (
    <p className='realtime-feedback__connection' data-state={state}>
      <Icon shape={SHAPES[state]} />
      {texts.connection[state]}
    </p>
  )
}
