import type { GapReason } from '../../src/fanout/gap.js'
import type { HistoryBounds } from '../../src/fanout/history.js'
import type { ResumeOutcome } from '../../src/fanout/resume.js'
import { Client, type Received } from './client.js'
import { Instance, type Sent } from './instance.js'

/** What happens next; the world sees to it that it can. */
export type Step =
  | { readonly do: 'wait', readonly ms: number }
  /** `label`: events with the same one are the same byte for byte; `undefined`: like no other. */
  | { readonly do: 'publish', readonly label: number | undefined, readonly times: number }
  /** Of another merchant, which takes room. */
  | { readonly do: 'crowd', readonly times: number }
  | { readonly do: 'hop', readonly to: number, readonly lostMs: number, readonly awayMs: number }
  | { readonly do: 'lose', readonly at: number }
  | { readonly do: 'regain', readonly at: number }
  /** Its clock is set. */
  | { readonly do: 'set', readonly at: number, readonly skewMs: number }
  /** A new one in its place. */
  | { readonly do: 'replace', readonly at: number, readonly how: 'stop' | 'kill', readonly lostMs: number }

export interface Scenario {
  readonly skews: readonly number[]
  /** How slow Redis is to reach each instance, in milliseconds, and how unevenly, 0–1. */
  readonly lags: ReadonlyArray<{ readonly most: number, readonly uneven: number }>
  readonly heartbeatMs: number
  readonly history: HistoryBounds
  readonly seed: number
  readonly steps: readonly Step[]
}

interface Published {
  readonly at: number
  readonly label: number | undefined
}

/** What all runs together met. */
export interface Tally {
  readonly outcomes: Partial<Record<ResumeOutcome, number>>
  readonly gaps: Partial<Record<GapReason, number>>
  repeated: number
  /** Of these, by our own client. */
  dropped: number
  lost: number
  received: number
}

const MERCHANT = 'TEST'
/** As long as anything takes that is under way: the slowest delivery, and what waits for it. */
const SETTLED_MS = 20_000

/** Redis, instances, publishers and one client, in time of their own. The clock is the caller's: see fake-timers. */
export class World {
  readonly client = new Client(MERCHANT)
  readonly #instances: Instance[]
  readonly #scenario: Scenario
  readonly #tick: (ms: number) => void
  readonly #tally: Tally
  readonly #published: Published[] = []
  readonly #outcomes = new Map<number, ResumeOutcome>()
  #openedAt = 0
  #random: number

  constructor (scenario: Scenario, tick: (ms: number) => void, tally: Tally) {
    this.#scenario = scenario
    this.#tick = tick
    this.#tally = tally
    this.#random = scenario.seed
    this.#instances = scenario.skews.map((_, i) => this.#start(i))
  }

  /** Lives through the scenario, and throws where the client was not told the truth. */
  async live ({ warmMs = 0 } = {}): Promise<void> {
    this.#tick(warmMs)
    this.#come(0)
    for (const step of this.#scenario.steps) await this.#do(step)
    for (const instance of this.#instances) instance.subscribe()
    this.#tick(SETTLED_MS)
    if (!this.client.open) this.#come(0)
    this.#tick(SETTLED_MS)
    this.client.cut(0)
    this.#audit()
    for (const instance of this.#instances) await instance.stop()
  }

  async #do (step: Step): Promise<void> {
    switch (step.do) {
      case 'wait': return this.#tick(step.ms)
      case 'publish': return this.#publish(step.label, step.times)
      case 'crowd': {
        for (let i = 0; i < step.times; i++) this.#send({ serial: -1, channel: 'merchant:CROWD:t', payload: `{"crowd":"${'x'.repeat(100)}"}`, alike: false })
        return
      }
      case 'hop':
        this.client.cut(step.lostMs)
        this.#tick(step.awayMs)
        return this.#come(step.to)
      case 'lose': return this.#instance(step.at).lose()
      case 'set': {
        this.#instance(step.at).skewMs = step.skewMs
        return
      }
      case 'regain': return this.#instance(step.at).subscribe()
      case 'replace': {
        const index = step.at % this.#instances.length
        const old = this.#instances[index]!
        if (step.how === 'kill' && this.client.isOn(old)) this.client.cut(step.lostMs)
        await old.stop()
        if (this.client.isOn(old)) this.client.cut(step.lostMs)
        this.#instances[index] = this.#start(index)
      }
    }
  }

  #instance (index: number): Instance {
    return this.#instances[index % this.#instances.length]!
  }

  #come (to: number): void {
    // Whoever was sent nothing, not even a greeting, has no claim to what came before.
    if (!this.client.greeted) this.#openedAt = this.#published.length
    this.client.connect(this.#instance(to))
  }

  #start (index: number): Instance {
    const { skews, lags, heartbeatMs, history } = this.#scenario
    const { most, uneven } = lags[index % lags.length]!
    const instance: Instance = new Instance({
      skewMs: skews[index]!,
      lagMs: () => Math.round(most * (1 - uneven + uneven * this.#next())),
      heartbeatMs,
      history,
      onResumed: (outcome) => {
        this.#outcomes.set(this.client.connection, outcome)
        this.#tally.outcomes[outcome] = (this.#tally.outcomes[outcome] ?? 0) + 1
      },
      onGap: (reason) => { this.#tally.gaps[reason] = (this.#tally.gaps[reason] ?? 0) + 1 },
    })
    instance.subscribe()
    return instance
  }

  #publish (label: number | undefined, times: number): void {
    for (let i = 0; i < times; i++) {
      const serial = this.#published.length
      this.#published.push({ at: Date.now(), label })
      this.#send({ serial, channel: `merchant:${MERCHANT}:t`, payload: label === undefined ? `{"unique":${serial}}` : `{"label":${label}}`, alike: label !== undefined })
    }
  }

  #send (message: Sent): void {
    for (const instance of this.#instances) instance.send(message)
  }

  /** mulberry32: what is random in a run is the run's own. */
  #next (): number {
    this.#random = (this.#random + 0x6D2B79F5) | 0
    let t = Math.imul(this.#random ^ this.#random >>> 15, 1 | this.#random)
    t = (t + Math.imul(t ^ t >>> 7, 61 | t)) ^ t
    return ((t ^ t >>> 14) >>> 0) / 4_294_967_296
  }

  #audit (): void {
    this.#auditLosses()
    this.#auditOrder()
    this.#auditRepeats()
  }

  /** What the client was never sent lies in a gap that it was told of, before anything that was published later. */
  #auditLosses (): void {
    const { received, gaps } = this.client
    const got = new Set(received.map(({ serial }) => serial))
    for (let serial = this.#openedAt; serial < this.#published.length; serial++) {
      if (got.has(serial)) continue
      const { at } = this.#published[serial]!
      const later = received.findIndex((event) => event.serial > serial)
      const told = gaps.some(({ from, to, after }) => from <= at && at <= to && (later < 0 || after <= later))
      if (!told) throw new Error(`lost in silence: ${serial}, published at ${at}; ${this.#story()}`)
      this.#tally.lost++
    }
    this.#tally.received += received.length
  }

  /** Order holds; what came twice did so around events that look alike, or after the edge of what was known. */
  #auditOrder (): void {
    const { received } = this.client
    const first = new Map<number, number>()
    let last: Received = { serial: -1, connection: -1 }
    let greatest = last
    for (const event of received) {
      if (event.connection === last.connection && event.serial <= last.serial) throw new Error(`out of order: ${event.serial} after ${last.serial}; ${this.#story()}`)
      if (event.serial <= greatest.serial) {
        this.#tally.repeated++
        if (!this.#mayStepBack(first.get(event.serial) ?? greatest.connection, event.connection)) throw new Error(`${event.serial} after ${greatest.serial}; ${this.#story()}`)
      } else {
        greatest = event
      }
      if (!first.has(event.serial)) first.set(event.serial, event.connection)
      last = event
    }
  }

  /** Our own client drops nothing that it has not had, but for what looks like that. */
  #auditRepeats (): void {
    const { received, repeats } = this.client
    const had = new Set<number>()
    for (const event of received) {
      if (!repeats.has(event)) {
        had.add(event.serial)
        continue
      }
      this.#tally.dropped++
      const isLike = ({ serial }: Received) => this.#published[serial]!.label === this.#published[event.serial]!.label
      if (!had.has(event.serial) && (this.#published[event.serial]!.label === undefined || !received.slice(0, received.indexOf(event)).some(isLike))) throw new Error(`dropped: ${event.serial}; ${this.#story()}`)
    }
  }

  #mayStepBack (fromConnection: number, toConnection: number): boolean {
    if (this.#published.some(({ label }) => label !== undefined)) return true
    for (let connection = fromConnection + 1; connection <= toConnection; connection++) {
      const outcome = this.#outcomes.get(connection)
      if (outcome === 'covered' || outcome === 'gap') return true
    }
    return false
  }

  #story (): string {
    return JSON.stringify({
      published: this.#published,
      received: this.client.received.map(({ serial, connection }) => `${connection}:${serial}`),
      gaps: this.client.gaps,
      cursors: this.client.cursors,
      outcomes: [...this.#outcomes],
    })
  }
}
