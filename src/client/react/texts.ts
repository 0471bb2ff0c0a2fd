import type { RealtimeError } from '../errors.js'
import type { ConnectionState } from '../events.js'
import type { Order, OrderStatus } from './orders.js'

/** All that RealTimeFeedback says. */
export interface FeedbackTexts {
  readonly heading: string
  /** In place of a list without orders; and of one that there is no connection for yet. */
  readonly empty: string
  readonly waiting: string
  readonly connection: Readonly<Record<ConnectionState, string>>
  /** There is no connection, and nothing is done to have one. */
  readonly offline: (error: RealtimeError | undefined) => string
  readonly reconnect: string
  /** Events may be missing. */
  readonly missed: string
  readonly hide: string
  /** What an order is called. */
  readonly order: (order: Order) => string
  readonly status: Readonly<Record<OrderStatus, string>>
  /** What a stage is called. */
  readonly stage: (stage: string) => string
  /** The name of the list of stages. */
  readonly stages: string
  readonly stageCompleted: string
  /** @param percent a whole number. */
  readonly percent: (percent: number) => string
  /** @param ms what is left; 0 where it takes longer than was expected. */
  readonly remaining: (ms: number) => string
  /** Events of this order may be missing. */
  readonly stale: string
  /** @param order what it is called. */
  readonly dismiss: (order: string) => string
  /** What is read out: of one order, and of more than three at once. */
  readonly announceDone: (order: string) => string
  readonly announceFailed: (order: string, error: string) => string
  readonly announceManyDone: (count: number) => string
  readonly announceManyFailed: (count: number) => string
  readonly announceConnection: Readonly<Record<'lost' | 'given_up' | 'restored', string>>
}

export const ENGLISH: FeedbackTexts = {
  heading: 'Purchase orders',
  empty: 'No purchase order is being processed.',
  waiting: 'Waiting for updates.',
  connection: { connecting: 'Connecting', open: 'Live', reconnecting: 'Reconnecting', closed: 'Offline' },
  offline: (error) => `Live updates have stopped${error === undefined ? '' : ` (${error.code})`}.`,
  reconnect: 'Try again',
  missed: 'Some updates may have been missed.',
  hide: 'Hide this notice',
  order: ({ poId }) => `Purchase order ${poId}`,
  status: { active: 'In progress', done: 'Completed', failed: 'Failed' },
  stage: (stage) => {
    const words = stage.replace(/[_-]+/g, ' ').trim().replace(/\b(?:ai|csv|ocr|pdf|po|sku)\b/g, (word) => word.toUpperCase())
    return words.charAt(0).toUpperCase() + words.slice(1)
  },
  stages: 'Stages',
  stageCompleted: 'completed',
  percent: (percent) => `${percent} %`,
  remaining,
  stale: 'This may be out of date.',
  dismiss: (order) => `Dismiss ${order}`,
  announceDone: (order) => `${order} is completed.`,
  announceFailed: (order, error) => error === '' ? `${order} has failed.` : `${order} has failed: ${error}`,
  announceManyDone: (count) => `${count} purchase orders are completed.`,
  announceManyFailed: (count) => `${count} purchase orders have failed.`,
  announceConnection: {
    lost: 'The connection is lost. Trying to reconnect.',
    given_up: 'Live updates have stopped.',
    restored: 'The connection is back.',
  },
}

function remaining (ms: number): string {
  const seconds = Math.ceil(ms / 1_000)
  if (seconds <= 3) return 'soon'
  if (seconds <= 90) return `about ${seconds} s left`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `about ${minutes} min left`
  const rest = minutes % 60
  return `about ${Math.floor(minutes / 60)} h${rest === 0 ? '' : ` ${rest} min`} left`
}
