import { memo, useId, type ReactElement } from 'react'
import { Icon } from './icon.js'
import type { Order } from './orders.js'
import type { FeedbackTexts } from './texts.js'
import { useRemaining } from './use-remaining.js'

export interface OrderCardProps {
  readonly order: Order
  readonly texts: FeedbackTexts
  readonly onDismiss: (poId: string) => void
}

/** One purchase order of the list; of many, only those are rendered anew that were told of. */
export const OrderCard = memo(function OrderCard ({ order, texts, onDismiss }: OrderCardProps): ReactElement {
  const id = useId()
  const { poId, status, stage, stages, message, error, stale } = order
  const remainingMs = useRemaining(order.eta)
  const name = texts.order(order)
  // One that is done by a completion may have been told of no more than 90.
  const percent = status === 'done' ? 100 : order.progress
  const percentText = texts.percent(Math.floor(percent))
  const valueText = [percentText, texts.status[status], ...(status === 'active' && stage !== undefined ? [texts.stage(stage)] : [])].join(', ')
  return (
    <li className='realtime-feedback__order' data-status={status} data-po-id={poId}>
      <div className='realtime-feedback__head'>
        <h3 className='realtime-feedback__name' id={id}>{name}</h3>
        <p className='realtime-feedback__status'>
          <Icon shape={status} />
          {texts.status[status]}
        </p>
        {(status !== 'active' || stale) && (
          <button type='button' className='realtime-feedback__dismiss' aria-label={texts.dismiss(name)} onClick={() => { onDismiss(poId) }}>
            <Icon shape='failed' />
          </button>
        )}
      </div>
      <div className='realtime-feedback__measure'>
        <div
          className='realtime-feedback__bar' role='progressbar' aria-labelledby={id}
          aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.floor(percent)} aria-valuetext={valueText}
        >
          <div className='realtime-feedback__filled' style={{ inlineSize: `${percent}%` }} />
        </div>
        <span className='realtime-feedback__percent' aria-hidden='true'>{percentText}</span>
      </div>
      <div className='realtime-feedback__details'>
        {status === 'failed' && error !== '' && <p className='realtime-feedback__error'>{error}</p>}
        {status === 'active' && message !== undefined && <p className='realtime-feedback__message'>{message}</p>}
        {remainingMs !== undefined && <p className='realtime-feedback__eta'>{texts.remaining(remainingMs)}</p>}
      </div>
      {stages.length > 0 && (
        <ol className='realtime-feedback__stages' aria-label={texts.stages}>
          {stages.map(({ name, completed }) => {
            const over = completed || status === 'done'
            const state = over ? 'done' : status === 'failed' && name === stage ? 'failed' : 'active'
            return (
              <li key={name} className='realtime-feedback__stage' data-status={state} aria-current={status === 'active' && name === stage ? 'step' : undefined}>
                <Icon shape={state} />
                {texts.stage(name)}
                {over && <span className='realtime-feedback__unseen'>{texts.stageCompleted}</span>}
              </li>
            )
          })}
        </ol>
      )}
      {stale && (
        <p className='realtime-feedback__stale'>
          <Icon shape='warning' />
          {texts.stale}
        </p>
      )}
    </li>
  )
})
