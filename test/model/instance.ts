import { pino } from 'pino'
import { Clock } from '../../src/fanout/clock.js'
import { Hub } from '../../src/fanout/hub.js'
import type { GapReason } from '../../src/fanout/gap.js'
import type { HistoryBounds } from '../../src/fanout/history.js'
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

/** What Redis sends to one subscriber: a message, its own probe, or that it is subscribed. */
type Delivery = Sent | { readonly sentAt: number } | 'subscribed'

/** The service's own heart, and a stand-in for its broker: a subscription that delivers late, and is lost and made again. */
export class Instance {
  readonly hub: Hub
  /** How far its clock is ahead; to be set at any time. */
  skewMs: number
  readonly #clock = new Clock(() => Date.now() + this.skewMs)
  /** The serial number of what came in, by when and what. */
  readonly #arrivals = new Map<string, number>()
  readonly #lagMs: () => number
  /** What is under way to an earlier subscription never arrives. */
  #subscription = 0
  #asked = false
  #acknowledgedAt: number | undefined
  #standing = false
  #provenAt = performance.now()
  #lastDelivery = 0
  #probing: NodeJS.Timeout | undefined
  ended = false

  constructor ({ skewMs, lagMs, heartbeatMs, history, onResumed, onGap }: InstanceOptions) {
    this.skewMs = skewMs
    this.#lagMs = lagMs
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
      clock: this.#clock,
      provenAt: () => this.#provenAt,
      metrics: { ...noMetrics, resumed: onResumed, gapTold: onGap },
      log,
    })
  }

  /** What it adds to true time, in milliseconds. */
  get aheadMs (): number {
    return this.#clock.now() - Date.now()
  }

  /** From now on Redis sends it what is published; as soon as it is told that, it probes. */
  subscribe (): void {
    if (this.ended || this.#asked) return
    this.#asked = true
    this.send('subscribed')
  }

  /** Nobody notices: what tells is that nothing comes any more. */
  lose (): void {
    this.#subscription++
    this.#asked = false
    this.#acknowledgedAt = undefined
    this.#standing = false
    clearInterval(this.#probing)
  }

  /** From Redis, in the order in which it sends. */
  send (delivery: Delivery): void {
    if (!this.#asked) return
    const subscription = this.#subscription
    // Two that look alike must differ by their time, or nobody could tell which one a client got.
    const apartMs = typeof delivery === 'object' && 'alike' in delivery && delivery.alike ? 1 : 0
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
    this.send({ sentAt: performance.now() })
  }

  #take (delivery: Delivery): void {
    if (delivery === 'subscribed') {
      this.#acknowledgedAt = performance.now()
      this.#probe()
      this.#probing = setInterval(() => { this.#probe() }, PROBE_MS)
      return
    }
    if (!this.#standing) {
      this.#standing = true
      const lostAt = this.#provenAt
      this.#provenAt = this.#acknowledgedAt!
      this.hub.subscribed(lostAt, this.#acknowledgedAt!)
    }
    if ('sentAt' in delivery) {
      this.#provenAt = delivery.sentAt
      return
    }
    const { serial, channel, payload } = delivery
    this.#arrivals.set(`${this.#clock.now()} ${payload}`, serial)
    this.hub.receive(channel, Buffer.from(payload))
  }
}
