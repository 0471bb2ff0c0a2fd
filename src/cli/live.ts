import type { CloseEvent, ConnectionState, EventInfo, GapEvent, RealtimeError } from '../client/index.js'
import { reasonOf, type Audience } from './audience.js'
import { Board, happenedAt } from './board.js'
import { clean } from './cells.js'
import type { Terminal } from './terminal.js'
import { boardLines, clock, entryLine, gapLine, statusLine, type Look } from './view.js'

/** How often it is drawn, in milliseconds: as often as one can read it, and however much is published. */
const FRAME_MS = 125

/** For somebody at a terminal: an order under way is a line that moves, one that has ended a line that scrolls away. */
export class Live implements Audience {
  readonly #terminal: Terminal
  readonly #url: string
  readonly #several: boolean
  readonly #board = new Board()
  readonly #states: Map<string | undefined, ConnectionState>
  /** What went wrong last, for each merchant, since it was connected. */
  readonly #troubles = new Map<string | undefined, string>()
  readonly #timer: NodeJS.Timeout
  /** Not written yet. */
  #kept: string[] = []

  constructor (terminal: Terminal, url: string, merchants: ReadonlyArray<string | undefined>) {
    this.#terminal = terminal
    this.#url = url
    this.#several = merchants.length > 1
    this.#states = new Map(merchants.map((merchant) => [merchant, 'connecting']))
    this.#draw()
    this.#timer = setInterval(() => { this.#draw() }, FRAME_MS)
  }

  published (merchantId: string | undefined, data: Readonly<Record<string, unknown>>, { name, raw }: EventInfo): void {
    const entry = this.#board.take({ merchantId, name, data, raw, at: happenedAt(data, Date.now()) })
    if (entry !== undefined) this.#kept.push(entryLine(entry, this.#look()))
  }

  gap (merchantId: string | undefined, gap: GapEvent): void {
    this.#kept.push(gapLine(gap, this.#look(), this.#who(merchantId)))
  }

  close (merchantId: string | undefined, { reason }: CloseEvent): void {
    this.#lost(merchantId, `the service ends the stream (${reason})`)
  }

  connection (merchantId: string | undefined, state: ConnectionState): void {
    this.#states.set(merchantId, state)
    if (state === 'open' && this.#troubles.delete(merchantId)) this.#note(merchantId, 'connected again')
  }

  trouble (merchantId: string | undefined, error: RealtimeError): void {
    this.#lost(merchantId, reasonOf(error))
  }

  end (): void {
    clearInterval(this.#timer)
    this.#draw()
    this.#terminal.end()
  }

  #lost (merchantId: string | undefined, why: string): void {
    // It may be the same for hours.
    if (this.#troubles.get(merchantId) === why) return
    this.#troubles.set(merchantId, why)
    this.#note(merchantId, why)
  }

  #note (merchantId: string | undefined, what: string): void {
    const { paint, now } = this.#look()
    this.#kept.push(paint('yellow', `~ ${clock(now)} ${this.#who(merchantId)}${clean(what)}`))
  }

  /** Said only where it might be another one. */
  #who (merchantId: string | undefined): string {
    return this.#several ? `${merchantId}: ` : ''
  }

  #look (): Look {
    // A line as wide as the terminal makes some of them begin another one.
    return { columns: this.#terminal.size().columns - 1, now: Date.now(), paint: this.#terminal.paint, merchants: this.#several }
  }

  #draw (): void {
    const look = this.#look()
    for (const line of this.#kept.splice(0)) this.#terminal.keep(line)
    const merchants = [...this.#states.keys()].filter((merchant) => merchant !== undefined)
    const to = merchants.length === 0 ? this.#url : `${this.#url} for ${merchants.join(', ')}`
    const status = statusLine(this.#state(), to, this.#board.counts, look)
    // The cursor stands below the last line.
    this.#terminal.draw(boardLines(this.#board, [status], this.#terminal.size().rows - 1, look))
  }

  /** Of several connections, that of the one that fares worst. */
  #state (): ConnectionState {
    const states = [...this.#states.values()]
    return (['closed', 'reconnecting', 'connecting'] as const).find((state) => states.includes(state)) ?? 'open'
  }
}
