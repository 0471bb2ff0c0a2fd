import { EventSource } from 'eventsource'
import { Agent, fetch } from 'undici'
import type { Marks } from './audit.js'
import type { Lane } from './lane.js'
import { Ledger, type Gap } from './ledger.js'
import type { Scope } from './scope.js'

interface Tick {
  readonly publisher: string
  readonly number: number
  readonly timestamp: number
}

/** What an EventSource dispatches. */
interface Message {
  readonly data: string
  readonly lastEventId: string
}

/** Is told of what clients had to wait for. */
export interface Observer {
  /** An event came, so long after it was about to be published. */
  received (ms: number): void
  /** A client lost its stream, and had not been told to come back. */
  cutOff (): void
  /** A client was greeted again, so long after it had lost its stream. */
  back (ms: number): void
}

/** How clients come in, and who looks on. */
export interface Entry {
  /** The credential for a merchant; without it, none is shown. */
  readonly tokens?: ReadonlyMap<string, string>
  readonly observer?: Observer
}

/** A browser's way to listen: it comes back by itself, with the id of the last event that it had. */
class Client {
  readonly ledger: Ledger
  /** Connected, and greeted. */
  listening = false
  #greeted: Array<() => void> = []
  #lostAt: number | undefined
  #sentAway = false

  constructor (scope: Scope, url: string, ledger: Ledger, { observer, token }: { readonly observer: Observer | undefined, readonly token: string | undefined }) {
    this.ledger = ledger
    // A machine of its own: one that shares connections with others would be handed those that are about to be closed.
    const dispatcher = new Agent()
    const source = new EventSource(url, {
      fetch: async (input, init) => fetch(input, { ...init, dispatcher, headers: { ...init.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) } }),
    })
    scope.teardown(async () => {
      source.close()
      await dispatcher.destroy()
    })
    source.addEventListener('message', ({ data, lastEventId }: Message) => {
      const { type } = JSON.parse(data) as { type: string }
      if (type !== 'connected') ledger.complain(`got an unnamed event: ${data}`)
      if (lastEventId === '') ledger.complain('was greeted without an id')
      ledger.note(`greeted, id ${lastEventId}`)
      this.listening = true
      this.#sentAway = false
      if (this.#lostAt !== undefined) observer?.back(performance.now() - this.#lostAt)
      for (const greeted of this.#greeted.splice(0)) greeted()
    })
    source.addEventListener('tick', ({ data, lastEventId }: Message) => {
      const { publisher, number, timestamp } = JSON.parse(data) as Tick
      observer?.received(Date.now() - timestamp)
      ledger.received(publisher, number, lastEventId)
    })
    source.addEventListener('gap', ({ data, lastEventId }: Message) => {
      ledger.told({ ...JSON.parse(data) as Omit<Gap, 'id'>, id: lastEventId })
    })
    source.addEventListener('close', ({ data, lastEventId }: Message) => {
      this.#sentAway = true
      ledger.note(`sent away: ${data}, id ${lastEventId}`)
    })
    source.addEventListener('error', ({ message, code }) => {
      if (source.readyState === EventSource.CLOSED) ledger.complain(`was silenced for good: ${message} (${code})`)
      if (!this.listening) return
      this.listening = false
      this.#lostAt = performance.now()
      if (!this.#sentAway) observer?.cutOff()
      ledger.drops++
      ledger.note(`lost its connection${message === undefined ? '' : `: ${message}`}`)
    })
  }

  /** Resolves at its next greeting. */
  async greeted (): Promise<void> {
    await new Promise<void>((resolve) => { this.#greeted.push(resolve) })
  }
}

/** All clients: so many of each merchant. */
export class Crowd {
  readonly ledgers: readonly Ledger[]
  readonly #clients: readonly Client[]

  constructor (scope: Scope, url: string, lanes: readonly Lane[], each: number, { tokens, observer }: Entry = {}) {
    const merchants = [...new Set(lanes.map(({ merchantId }) => merchantId))]
    this.#clients = merchants.flatMap((merchantId) => {
      const own = lanes.filter((lane) => lane.merchantId === merchantId)
      return Array.from({ length: each }, (_, i) =>
        new Client(scope, `${url}/api/realtime/events?merchantId=${merchantId}`, new Ledger(`${merchantId}/${i + 1}`, own), { observer, token: tokens?.get(merchantId) }))
    })
    this.ledgers = this.#clients.map(({ ledger }) => ledger)
  }

  /** Who is not connected, shortly. */
  get absent (): string {
    const names = this.#clients.filter(({ listening }) => !listening).map(({ ledger }) => ledger.client)
    return `${names.length} of ${this.#clients.length} clients are not connected: ${shortened(names)}`
  }

  /** Resolves when all are connected at once. */
  async complete (): Promise<void> {
    for (;;) {
      const absent = this.#clients.filter(({ listening }) => !listening)
      if (absent.length === 0) return
      await Promise.all(absent.map(async (client) => client.greeted()))
    }
  }

  /** Resolves when each client has got something that was published later, so that nothing of before is still on its way. */
  async past (marks: Marks): Promise<void> {
    await Promise.all(this.ledgers.flatMap((ledger) => ledger.lanes.map(async (lane) => ledger.past(lane, marks.get(lane)!))))
  }

  /** Who has not got anything that was published later, shortly. */
  behind (marks: Marks): string {
    const waiting = this.ledgers.flatMap((ledger) => ledger.lanes
      .filter((lane) => ledger.highestOf(lane) < marks.get(lane)!)
      .map((lane) => `${ledger.client} for ${lane.publisher} ${marks.get(lane)} and has ${ledger.highestOf(lane)}`))
    return `${waiting.length} ledgers wait for something newer: ${shortened(waiting)}`
  }
}

function shortened (names: readonly string[]): string {
  return names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '')
}
