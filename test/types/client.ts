/* What the types of `realtime-fanout/client` let through, and what they do not: checked by `npm run typecheck`, never run. */
import { EventSource } from 'eventsource'
import { createRealtimeClient, eventSourceTransport, fetchTransport, type ConnectionState, type PublishedEvents, type RealtimeClient, type RealtimeError } from 'realtime-fanout/client'

interface Events extends PublishedEvents {
  invoice: { readonly type: 'invoice', readonly cents: number }
}

export const clients: Array<RealtimeClient<Events>> = [
  createRealtimeClient<Events>({ url: '/events', merchantId: 'TEST', topics: ['invoice'], credentials: 'include', transport: 'eventsource' }),
  createRealtimeClient<Events>({ url: '/events', getToken: () => 'token', transport: fetchTransport(fetch) }),
  createRealtimeClient<Events>({ url: '/events', getTicket: async ({ refused }) => refused ? 'fresh' : 'kept', transport: eventSourceTransport(EventSource) }),
]
// @ts-expect-error Somewhere it has to go.
export const nowhere = createRealtimeClient({ merchantId: 'TEST' })
// @ts-expect-error There is no such transport.
export const byPigeon = createRealtimeClient({ url: '/events', transport: 'pigeon' })

export function listen (client: RealtimeClient<Events>): void {
  const stop: () => void = client.on('progress', ({ poId, progress }, { id, raw }) => { console.log(poId.length, progress.toFixed(), id?.length, raw.length) })
  stop()
  client.on('invoice', ({ cents }) => { console.log(cents.toFixed()) })
  // @ts-expect-error An invoice has none.
  client.on('invoice', ({ progress }) => { console.log(progress) })
  // @ts-expect-error A stage has no progress.
  client.on('stage', ({ progress }) => { console.log(progress) })
  client.on('error', ({ error }) => { console.log(error.length) })
  client.on('connection_error', (error) => { console.log((error satisfies RealtimeError).code) })
  client.on('gap', ({ reason, from }) => { console.log(reason === 'redis_outage', from.toFixed()) })
  // @ts-expect-error There is no such reason.
  client.on('gap', ({ reason }) => { console.log(reason === 'weather') })
  client.on('close', ({ reconnect }) => { console.log(reconnect satisfies boolean) })
  client.on('shipment', ({ carrier }) => { console.log(String(carrier)) })
  // @ts-expect-error What is in an event of an unknown name, nobody knows.
  client.on('shipment', ({ carrier }) => { console.log(carrier.length) })
  console.log(client.state satisfies ConnectionState, client.lastEventId?.length)
  // @ts-expect-error It is told, not set.
  client.state = 'open'
}
