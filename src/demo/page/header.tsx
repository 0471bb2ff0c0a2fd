import { useState, type FormEvent } from 'react'
import type { ConnectionState, RealtimeError } from '../../client/index.js'
import type { Instance } from './instance.js'

/** As the service has it; for `pattern` of an input. */
export const MERCHANT_ID = '[A-Za-z0-9][A-Za-z0-9._\\-]{0,127}'

const STATES: Record<ConnectionState, string> = {
  connecting: 'Connecting…',
  open: 'Live',
  reconnecting: 'Reconnecting…',
  closed: 'Closed',
}

export interface Listener {
  readonly merchantId: string
  readonly token: string
}

interface HeaderProps {
  readonly instance: Instance
  readonly listener: Listener
  readonly state: ConnectionState
  readonly error: RealtimeError | undefined
  readonly onListener: (listener: Listener) => void
}

export function Header ({ instance, listener, state, error, onListener }: HeaderProps) {
  return (
    <header className='header'>
      <div className='brand'>
        <svg className='logo' viewBox='0 0 24 24' aria-hidden='true'>
          <rect width='24' height='24' rx='6' />
          <path d='M5 12h5m0 0c3 0 3-5.5 8-5.5M10 12h8m-8 0c3 0 3 5.500 8 5.500' />
        </svg>
        <div>
          <h1>realtime-fanout <span>demo</span></h1>
          <p className='where'>{location.host} · {instance.broker === 'memory' ? 'broker inside the process, no Redis' : 'by way of Redis'}</p>
        </div>
      </div>
      <ListenerForm instance={instance} listener={listener} onListener={onListener} />
      <p className='state' data-state={state} role='status'>
        <span className='dot' aria-hidden='true' />
        {STATES[state]}
        <small>{reasonOf(state, error)}</small>
      </p>
    </header>
  )
}

/** Why it does not come back by itself. */
function reasonOf (state: ConnectionState, error: RealtimeError | undefined): string | undefined {
  if (error?.code === 'CREDENTIAL_FAILED') return (error.cause as Error).message
  return state === 'closed' ? error?.message : undefined
}

function ListenerForm ({ instance, listener, onListener }: Pick<HeaderProps, 'instance' | 'listener' | 'onListener'>) {
  const [merchantId, setMerchantId] = useState(listener.merchantId)
  const [token, setToken] = useState(listener.token)
  const changed = merchantId !== listener.merchantId || token !== listener.token
  function submit (event: FormEvent) {
    event.preventDefault()
    onListener({ merchantId, token })
  }
  return (
    <form className='listener' onSubmit={submit}>
      <label>
        Merchant
        <input
          name='merchant' value={merchantId} required pattern={MERCHANT_ID} spellCheck={false} autoComplete='off' autoCapitalize='off'
          title='1–128 letters, digits, dots, underscores and hyphens, beginning with a letter or digit'
          onChange={({ target }) => { setMerchantId(target.value) }}
        />
      </label>
      {instance.needsToken && (
        <label>
          Token
          <input
            name='token' type='password' value={token} required autoComplete='off' placeholder='eyJ…'
            onChange={({ target }) => { setToken(target.value) }}
          />
        </label>
      )}
      <button type='submit' className='quiet' disabled={!changed}>Listen</button>
    </form>
  )
}
