import type { WantedOrders } from '../orders.js'

/** What the service says of itself; as `DemoInstance` of its routes. */
export interface Instance {
  readonly broker: string
  readonly channelPrefix: string
  readonly heartbeatMs: number
  readonly needsToken: boolean
  readonly needsKey: boolean
}

export async function fetchInstance (): Promise<Instance> {
  const answer = await fetch('/demo/instance')
  if (!answer.ok) throw new Error(`the service answered ${answer.status}`)
  return await answer.json() as Instance
}

/** @throws {Error} (rejects) with a message for whoever looks at the page. */
export async function startOrders (wanted: WantedOrders): Promise<void> {
  const answer = await fetch('/demo/orders', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(wanted) })
    .catch(() => { throw new Error('The service cannot be reached.') })
  if (answer.ok) return
  if (answer.status === 429) throw new Error('That would be too many at a time. Some will have ended in a few seconds.')
  const { message } = await answer.json() as { message?: string }
  throw new Error(message ?? `The service answered ${answer.status}.`)
}

/** A ticket for one stream, in exchange for a token: so that the token is in no URL. */
export async function fetchTicket (token: string, signal: AbortSignal): Promise<string> {
  const answer = await fetch('/api/realtime/ticket', { method: 'POST', headers: { authorization: `Bearer ${token}` }, signal })
  const { ticket, message } = await answer.json() as { ticket?: string, message?: string }
  if (ticket === undefined) throw new Error(message ?? `the service answered ${answer.status}`)
  return ticket
}
