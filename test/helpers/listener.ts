import type { Test } from 'tap'
import { createRealtimeClient, type ConnectionState, type EventInfo, type RealtimeClient, type RealtimeError, type RealtimeOptions } from '../../src/client/index.js'
import { Arrivals } from './arrivals.js'
import type { Service } from './service.js'

/** An event as our own client hands it out. */
export interface Heard extends EventInfo {
  readonly data: { readonly [field: string]: unknown, readonly n?: number } | null
}

/** Our own client, and all that it says; it is closed when the test ends. */
export class Listener {
  readonly client: RealtimeClient
  readonly states = new Arrivals<ConnectionState>()
  /** Published events, gaps and farewells. */
  readonly heard = new Arrivals<Heard>()
  readonly errors = new Arrivals<RealtimeError>()

  constructor (t: Pick<Test, 'teardown'>, options: RealtimeOptions) {
    this.client = createRealtimeClient(options)
    t.teardown(() => { this.client.close() })
    this.states.add(this.client.state)
    this.client.subscribe(() => { this.states.add(this.client.state) })
    const hear = (data: unknown, event: EventInfo) => { this.heard.add({ data: data as Heard['data'], ...event }) }
    this.client.on('*', hear)
    this.client.on('gap', hear)
    this.client.on('close', hear)
    this.client.on('connection_error', (error) => { this.errors.add(error) })
  }

  /** To a service that wants no credential; open. */
  static async open (t: Pick<Test, 'teardown'>, { url }: Pick<Service, 'url'>, options: Partial<RealtimeOptions> = {}): Promise<Listener> {
    const listener = new Listener(t, { url: `${url}/api/realtime/events`, merchantId: 'TEST', ...options })
    await listener.opened(1)
    return listener
  }

  /** Resolves once it was open so many times. */
  async opened (times: number): Promise<void> {
    await this.states.count(times, (state) => state === 'open')
  }

  async number (n: number): Promise<Heard> {
    return this.heard.first(({ data }) => data?.n === n)
  }

  /** All that was heard so far: numbers as such, of all else what it is. */
  get story (): Array<number | string> {
    return this.heard.all.map(({ name, data }) => data?.n ?? (typeof data?.reason === 'string' ? `${name}: ${data.reason}` : name))
  }
}

/** An event with this number. */
export function numbered (n: number, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { type: 'numbered', n, ...more }
}
