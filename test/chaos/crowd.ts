import { EventSource } from 'eventsource'
import type { Lane } from './lane.js'
import { Ledger, type Gap } from './ledger.js'
import type { Scope } from './scope.js'

interface Tick {
  readonly publisher: string
  readonly number: number
}

/** What an EventSource dispatches. */
interface Message {
  readonly data: string
  readonly lastEventId: string
}

/** A browser's way to listen: it comes back by itself, with the id of the last event that it had. */
class Client {
  readonly ledger: Ledger
  /** Connected, and greeted. */
  listening = false
  #greeted: Array<() => void> = []

  constructor (scope: Scope, url: string, ledger: Ledger) {
    this.ledger = ledger
    const source = new EventSource(url)
    scope.teardown(() => { source.close() })
    source.addEventListener('message', ({ data, lastEventId }: Message) => {
      const { type } = JSON.parse(data) as { type: string }
      if (type !== 'connected') ledger.complain(`got an unnamed event: ${data}`)
      if (lastEventId === '') ledger.complain('was greeted without an id')
      ledger.note(`greeted, id ${lastEventId}`)
      this.listening = true
      for (const greeted of this.#greeted.splice(0)) greeted()
    })
    source.addEventListener('tick', ({ data, lastEventId }: Message) => {
      const { publisher, number } = JSON.parse(data) as Tick
      ledger.received(publisher, number, lastEventId)
    })
    source.addEventListener('gap', ({ data, lastEventId }: Message) => {
      ledger.told({ ...JSON.parse(data) as Omit<Gap, 'id'>, id: lastEventId })
    })
    source.addEventListener('close', ({ data, lastEventId }: Message) => {
      ledger.note(`sent away: ${data}, id ${lastEventId}`)
    })
    source.addEventListener('error', ({ message, code }) => {
      if (source.readyState === EventSource.CLOSED) ledger.complain(`was silenced for good: ${message} (${code})`)
      if (!this.listening) return
      this.listening = false
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

  constructor (scope: Scope, url: string, lanes: readonly Lane[], each: number) {
    const merchants = [...new Set(lanes.map(({ merchantId }) => merchantId))]
    this.#clients = merchants.flatMap((merchantId) => {
      const own = lanes.filter((lane) => lane.merchantId === merchantId)
      return Array.from({ length: each }, (_, i) =>
        new Client(scope, `${url}/api/realtime/events?merchantId=${merchantId}`, new Ledger(`${merchantId}/${i + 1}`, own)))
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
}

export function shortened (names: readonly string[]): string {
  return names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '')
}
