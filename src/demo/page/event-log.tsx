import { memo, useState } from 'react'
import type { Entry, Recording } from './tape.js'

const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 })

interface EventLogProps {
  readonly recording: Recording
  readonly onClear: () => void
}

/** What came over the wire, as it came. */
export function EventLog ({ recording, onClear }: EventLogProps) {
  /** What is shown while it is paused. */
  const [paused, setPaused] = useState<Recording>()
  const { entries, counts } = paused ?? recording
  const missed = paused === undefined ? 0 : recording.counts.events - counts.events
  return (
    <section className='panel log' aria-labelledby='log-title'>
      <div className='panel-head'>
        <h2 id='log-title'>Raw events</h2>
        <div className='controls'>
          <button type='button' className='quiet' aria-pressed={paused !== undefined} onClick={() => { setPaused(paused === undefined ? recording : undefined) }}>
            {paused === undefined ? 'Pause' : `Go on${missed === 0 ? '' : ` (${missed.toLocaleString('en')} new)`}`}
          </button>
          <button
            type='button' className='quiet' onClick={() => {
              setPaused(undefined)
              onClear()
            }}
          >Clear
          </button>
        </div>
      </div>
      {/* It scrolls, so that it has to be reached by the keyboard. */}
      <div className='scroll' tabIndex={0} role='region' aria-label='Events, the newest first'>
        {entries.length === 0
          ? <p className='nothing'>Nothing has come yet. Start an order.</p>
          : <ol className='entries'>{entries.map((entry) => <Line key={entry.number} entry={entry} />)}</ol>}
      </div>
    </section>
  )
}

const Line = memo(function Line ({ entry }: { readonly entry: Entry }) {
  const { at, mark, name, id, data, replayed } = entry
  return (
    <li data-mark={mark} data-name={mark === undefined ? name : undefined}>
      <p className='line-head'>
        <b>{name}</b>
        {replayed && <em>replayed</em>}
        {id !== undefined && <span className='id'>{id}</span>}
        <time>{time.format(at)}</time>
      </p>
      {data !== '' && <p className='data'>{data}</p>}
    </li>
  )
})
