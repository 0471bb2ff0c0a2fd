import { useState, useSyncExternalStore } from 'react'
import { RealTimeFeedback, RealtimeProvider, useSSEUpdates, type FeedbackTexts } from '../../client/react/index.js'
import { Controls } from './controls.js'
import { EventLog } from './event-log.js'
import { Header, MERCHANT_ID, type Listener } from './header.js'
import { fetchTicket, type Instance } from './instance.js'
import { Network } from './network.js'
import { Snippets } from './snippets.js'
import { Tape } from './tape.js'
import { Wire } from './wire.js'

const tape = new Tape()
const wire = new Wire(tape)

const TEXTS: Partial<FeedbackTexts> = {
  order: ({ poId }) => poId,
  empty: 'No order yet. Start one, and watch it here.',
}

/** `?merchant=` of the page is whom it listens for, so that it can be loaded again, and sent to somebody else. */
function addressed (): Listener {
  const merchantId = new URLSearchParams(location.search).get('merchant') ?? ''
  // It stands in commands that are to be pasted into a shell.
  return { merchantId: new RegExp(`^${MERCHANT_ID}$`, 'v').test(merchantId) ? merchantId : 'TEST', token: '' }
}

export function App ({ instance }: { readonly instance: Instance }) {
  const [listener, setListener] = useState(addressed)
  const { merchantId, token } = listener

  function listenAs (next: Listener) {
    history.replaceState(null, '', `?merchant=${encodeURIComponent(next.merchantId)}`)
    tape.clear()
    setListener(next)
  }

  return (
    <RealtimeProvider
      key={JSON.stringify(listener)} url='/api/realtime/events' merchantId={merchantId} transport={wire} heartbeatMs={instance.heartbeatMs}
      getTicket={token === '' ? undefined : async ({ signal }) => fetchTicket(token, signal)}
    >
      <Page instance={instance} listener={listener} onListener={listenAs} />
    </RealtimeProvider>
  )
}

interface PageProps {
  readonly instance: Instance
  readonly listener: Listener
  readonly onListener: (listener: Listener) => void
}

function Page ({ instance, listener, onListener }: PageProps) {
  const { state, error, reconnect, clearEvents } = useSSEUpdates()
  const recording = useSyncExternalStore(tape.subscribe, tape.recording)

  function clear () {
    tape.clear()
    clearEvents() // With them goes the notice of a gap.
  }

  return (
    <div className='page'>
      <Header instance={instance} listener={listener} state={state} error={error} onListener={onListener} />
      <main className='columns'>
        <div className='column'>
          <Controls merchantId={listener.merchantId} instance={instance} />
          <RealTimeFeedback texts={TEXTS} />
        </div>
        <div className='column'>
          <Network wire={wire} recording={recording} onRestart={reconnect} />
          <EventLog recording={recording} onClear={clear} />
          <Snippets merchantId={listener.merchantId} instance={instance} />
        </div>
      </main>
    </div>
  )
}
