import { Repeats } from '../../src/client/repeats.js'
import type { Instance } from './instance.js'
import { ModelSocket } from './socket.js'

/** An event that a client was sent, by the number that it was published under. */
export interface Received {
  readonly serial: number
  readonly connection: number
}

/** What a client was told may be missing, in true time. */
export interface ToldGap {
  readonly reason: string
  readonly from: number
  readonly to: number
  /** How much it had received before. */
  readonly after: number
}

/** An EventSource that is moved among instances, and keeps a ledger. */
export class Client {
  readonly merchantId: string
  readonly received: Received[] = []
  /** What of it our own client would take for a repeat, and hand out to nobody. */
  readonly repeats = new Set<Received>()
  readonly gaps: ToldGap[] = []
  /** The cursors that it came with, connection by connection. */
  readonly cursors: Array<string | undefined> = []
  readonly #repeats = new Repeats()
  #instance: Instance | undefined
  #socket: ModelSocket | undefined
  #written: Array<{ readonly at: number, readonly aheadMs: number, readonly text: string }> = []
  #lastEventId: string | undefined

  constructor (merchantId: string) {
    this.merchantId = merchantId
  }

  get connection (): number {
    return this.cursors.length - 1
  }

  get open (): boolean {
    return this.#socket !== undefined && !this.#socket.destroyed
  }

  get greeted (): boolean {
    return this.#lastEventId !== undefined
  }

  isOn (instance: Instance): boolean {
    return this.#instance === instance
  }

  connect (instance: Instance): void {
    const socket = new ModelSocket((text) => { this.#written.push({ at: Date.now(), aheadMs: instance.aheadMs, text }) })
    this.#instance = instance
    this.#socket = socket
    this.cursors.push(this.#lastEventId)
    instance.hub.attach({ merchantId: this.merchantId, filter: undefined, socket: socket.asSocket, lastEventId: this.#lastEventId })
  }

  /** The connection is gone, and with it what was written in its last so many milliseconds. */
  cut (lostMs: number): void {
    const until = Date.now() - lostMs
    const written = this.#written.filter(({ at }) => at < until || lostMs === 0)
    this.#written = []
    for (const { text, aheadMs } of written) {
      for (const block of text.split('\n\n')) this.#read(block, aheadMs)
    }
    this.#socket?.destroy()
    this.#socket = undefined
  }

  #read (block: string, aheadMs: number): void {
    let id: string | undefined
    let event: string | undefined
    let data: string | undefined
    for (const line of block.split('\n')) {
      if (line.startsWith('id: ')) id = line.slice(4)
      else if (line.startsWith('event: ')) event = line.slice(7)
      else if (line.startsWith('data: ')) data = line.slice(6)
    }
    if (id !== undefined) this.#lastEventId = id
    if (data === undefined || event === 'close') return
    if (event === undefined) {
      if (this.cursors.at(-1) !== undefined) this.#repeats.resumed(id!, (JSON.parse(data) as { timestamp: number }).timestamp)
      return
    }
    const instance = this.#instance!
    if (event === 'gap') {
      const { reason, from, to } = JSON.parse(data) as { reason: string, from: number, to: number }
      this.gaps.push({ reason, from: from - aheadMs, to: to - aheadMs, after: this.received.length })
      return
    }
    const received = { serial: instance.serialOf(Number(id!.split('.')[0]), data), connection: this.connection }
    this.received.push(received)
    if (this.#repeats.has(id!)) this.repeats.add(received)
  }
}
