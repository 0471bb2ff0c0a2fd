import { pino } from 'pino'
import { Hub } from '../../src/fanout/hub.js'
import type { GapReason, HistoryBounds } from '../../src/fanout/history.js'
import type { ResumeOutcome } from '../../src/fanout/resume.js'
import { noMetrics } from '../../src/metrics.js'

/** How often a subscription is probed, in milliseconds. */
const PROBE_MS = 1_500
const log = pino({ level: 'silent' })

export interface InstanceOptions {
  /** How far its clock is ahead, in milliseconds. */
  readonly skewMs: number
  /** How long the next message takes to reach it, in milliseconds. */
  readonly lagMs: () => number
  readonly heartbeatMs: number
  readonly history: HistoryBounds
  readonly onResumed: (outcome: ResumeOutcome) => void
  readonly onGap: (reason: GapReason) => void
}

/** A message as Redis sends it, and what only this world knows of it. */
export interface Sent {
  readonly serial: number
  readonly channel: string
  readonly payload: string
  /** Whether another one may look like it. */
  readonly alike: boolean
}

/** What Redis sends to one subscriber: a message, or its own probe. */
type Delivery = Sent | { readonly sentMs: number }

/** The service's own heart, and a stand-in for its broker: a subscription that delivers late, and is lost and made again. */
export class Instance {
  readonly hub: Hub
  readonly skewMs: number
  /** The serial number of what came in, by when and what. */
  readonly #arrivals = new Map<string, number>()
  readonly #lagMs: () => number
  /** What is under way to an earlier subscription never arrives. */
  #subscription = 0
  #acknowledgedMs: number | undefined
  #standing = false
  #caughtUpMs: number
  #lastDelivery = 0
  #probing: NodeJS.Timeout | undefined
  ended = false

  constructor ({ skewMs, lagMs, heartbeatMs, history, onResumed, onGap }: InstanceOptions) {
    this.skewMs = skewMs
    this.#lagMs = lagMs
    this.#caughtUpMs = this.now()
    this.hub = new Hub({
      channelPrefix: 'merchant',
      maxMessageBytes: 65_536,
      maxBufferedBytes: 1_000_000,
      maxConnections: 10,
      maxConnectionsPerMerchant: 10,
      heartbeatMs,
      maxAgeMs: 3_600_000,
      retryMs: 1_000,
      history,
      caughtUpMs: () => this.#caughtUpMs,
      now: () => this.now(),
      metrics: { ...noMetrics, resumed: onResumed, gapTold: onGap },
      log,
    })
  }

  /** Unix milliseconds by its own clock. */
  now (): number {
    return Date.now() + this.skewMs
  }

  get subscribed (): boolean {
    return this.#acknowledgedMs !== undefined
  }

  subscribe (): void {
    if (this.ended || this.subscribed) return
    this.#acknowledgedMs = this.now()
    this.#probe()
    this.#probing = setInterval(() => { this.#probe() }, PROBE_MS)
  }

  /** Nobody notices: what tells is that nothing comes any more. */
  lose (): void {
    this.#subscription++
    this.#acknowledgedMs = undefined
    this.#standing = false
    clearInterval(this.#probing)
  }

  /** From Redis, in the order in which it sends. */
  send (delivery: Delivery): void {
    if (!this.subscribed) return
    const subscription = this.#subscription
    // Two that look alike must differ by their time, or nobody could tell which one a client got.
    const apartMs = 'alike' in delivery && delivery.alike ? 1 : 0
    this.#lastDelivery = Math.max(this.#lastDelivery + apartMs, Date.now() + this.#lagMs())
    setTimeout(() => { if (subscription === this.#subscription) this.#take(delivery) }, this.#lastDelivery - Date.now())
  }

  /** Under which number an event was published that had arrived then. */
  serialOf (arrivedMs: number, payload: string): number {
    const serial = this.#arrivals.get(`${arrivedMs} ${payload}`)
    if (serial === undefined) throw new Error(`no ${payload} had arrived at ${arrivedMs}`)
    return serial
  }

  /** SIGTERM: streams end with a close. */
  async stop (): Promise<void> {
    this.lose()
    this.ended = true
    await this.hub.drain({ delayMs: 0, windowMs: 0, hurry: AbortSignal.abort() })
  }

  #probe (): void {
    this.send({ sentMs: this.now() })
  }

  #take (delivery: Delivery): void {
    if (!this.#standing) {
      this.#standing = true
      const lostMs = this.#caughtUpMs
      this.#caughtUpMs = this.#acknowledgedMs!
      this.hub.subscribed(lostMs, this.#acknowledgedMs!)
    }
    if ('sentMs' in delivery) {
      this.#caughtUpMs = delivery.sentMs
      return
    }
    const { serial, channel, payload } = delivery
    this.#arrivals.set(`${this.now()} ${payload}`, serial)
    this.hub.receive(channel, Buffer.from(payload))
  }
}
