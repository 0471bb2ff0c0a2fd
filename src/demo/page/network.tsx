import { useId, useSyncExternalStore } from 'react'
import type { Counts, Recording } from './tape.js'
import type { Wire } from './wire.js'

interface NetworkProps {
  readonly wire: Wire
  readonly recording: Recording
  readonly onRestart: () => void
}

const COUNTS: ReadonlyArray<readonly [name: keyof Counts, title: string]> = [
  ['events', 'events'],
  ['replayed', 'replayed'],
  ['gaps', 'gaps'],
  ['lost', 'connection errors'],
]

/** What can be done to the stream, and how it has fared. */
export function Network ({ wire, recording: { counts, cursor }, onRestart }: NetworkProps) {
  const cut = useSyncExternalStore(wire.subscribe, wire.isCut)
  const hint = useId()
  return (
    <section className='panel network' aria-labelledby={`${hint}-title`}>
      <h2 id={`${hint}-title`}>Network</h2>
      <div className='switch-row'>
        <button
          type='button' role='switch' className='switch' aria-checked={cut} aria-describedby={hint}
          onClick={() => { if (cut) wire.mend(); else wire.cut() }}
        >
          <span className='track' aria-hidden='true'><span /></span>
          Cut the network
        </button>
        <p id={hint} className='hint'>
          {cut
            ? 'The stream is cut off. Orders go on: mend it within 100 events to see them replayed, later to see a gap.'
            : 'Cut it while orders run, and mend it: what was missed is replayed.'}
        </p>
      </div>
      <div className='controls'>
        <button type='button' disabled={cut} onClick={onRestart}>Restart the stream</button>
        <button
          type='button' disabled={cut} onClick={() => {
            wire.forget()
            onRestart()
          }}
        >Restart from long ago
        </button>
      </div>
      <dl className='counts'>
        {COUNTS.map(([name, title]) => <div key={name} data-count={name}><dt>{title}</dt><dd>{counts[name].toLocaleString('en')}</dd></div>)}
      </dl>
      <p className='cursor'><span>It would resume after</span> <code>{cursor ?? '—'}</code></p>
    </section>
  )
}
