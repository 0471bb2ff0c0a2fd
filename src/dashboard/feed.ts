import type { Writable } from 'node:stream'
import { Rates } from './rates.js'
import { Sampler, type Sample, type SamplerOptions } from './sampler.js'
import { topOf } from './top.js'
import type { Instance, Now, Standing } from './wire.js'

/** The service, as far as the page shows more of it than its metrics. */
export interface Watched {
  /** How many connections each merchant has that has any. */
  audiences (): Iterable<readonly [merchantId: string, connections: number]>
  /** How many connections a merchant has. */
  audienceOf (merchantId: string): number
  /** Told whose each message is that comes in. */
  onMessage: ((merchantId: string) => void) | undefined
  readonly leaving: boolean
}

export interface FeedOptions extends Pick<SamplerOptions, 'snapshot'> {
  readonly instance: Instance
  readonly hub: Watched
  readonly broker: { readonly subscription: { readonly state: 'standing' | 'absent', readonly since: number } }
}

const MAX_VIEWERS = 20
/** A viewer that has so many bytes still to take, beyond what the kernel holds, is cut off. */
const MAX_BUFFERED_BYTES = 262_144
/** How soon a browser comes back, in milliseconds. */
const RETRY_MS = 1_000
const TOP = 10

/**
 * What the live page is fed with. Samples are taken all the time, so that the past is there for who comes; messages are
 * counted by merchant only while somebody looks.
 */
export class Feed {
  readonly #options: FeedOptions
  readonly #sampler: Sampler
  /** With the time until when each may look, in Unix milliseconds. */
  readonly #viewers = new Map<Writable, number>()
  #rates = new Rates()
  #ended = false

  constructor (options: FeedOptions) {
    const { snapshot, broker } = options
    this.#options = options
    this.#sampler = new Sampler({ snapshot, standing: () => broker.subscription.state === 'standing' })
  }

  /** Whether there is no room for one more viewer. */
  get full (): boolean {
    return this.#viewers.size >= MAX_VIEWERS
  }

  start (): void {
    this.#sampler.start((sample) => { this.#tell(sample) })
  }

  /** Feeds a viewer until it leaves, its time is over, or all ends. The head of the answer has been sent. */
  add (viewer: Writable, until: number): void {
    if (this.#viewers.size === 0) this.#watch()
    this.#viewers.set(viewer, until)
    viewer.on('error', () => { /* 'close' follows. */ })
    viewer.on('close', () => { this.#forget(viewer) })
    viewer.write(`retry: ${RETRY_MS}\n\n${block('instance', this.#options.instance)}${block('past', this.#sampler.past)}`)
  }

  /** Whether there is nothing to be had any more. */
  get ended (): boolean {
    return this.#ended
  }

  /** Ends all streams. None may be added any more. */
  end (): void {
    this.#ended = true
    this.#sampler.stop()
    for (const viewer of this.#viewers.keys()) viewer.end()
  }

  #watch (): void {
    const rates = this.#rates = new Rates()
    this.#options.hub.onMessage = (merchantId) => { rates.add(merchantId) }
  }

  #tell (sample: Sample): void {
    if (this.#viewers.size === 0) return
    const text = block('now', this.#now(sample))
    for (const [viewer, until] of this.#viewers) {
      // One that was told a second ago that it is over has taken that, or never will.
      if (viewer.writableEnded || viewer.writableLength > MAX_BUFFERED_BYTES) viewer.destroy()
      else if (until <= Date.now()) viewer.end()
      else viewer.write(text)
    }
  }

  #forget (viewer: Writable): void {
    this.#viewers.delete(viewer)
    if (this.#viewers.size === 0) this.#options.hub.onMessage = undefined
  }

  #now (sample: Sample): Record<keyof Now, unknown> {
    const { hub, broker: { subscription } } = this.#options
    const rates = new Map(this.#rates.read())
    const standing = ([merchantId]: readonly [string, number]): Standing =>
      ({ merchantId, connections: hub.audienceOf(merchantId), rate: Number((rates.get(merchantId) ?? 0).toPrecision(5)) })
    return {
      sample,
      redis: { standing: subscription.state === 'standing', forMs: Math.round(performance.now() - subscription.since) },
      leaving: hub.leaving,
      byConnections: topOf(hub.audiences(), TOP).map(standing),
      byRate: topOf(rates, TOP).map(standing),
    }
  }
}

function block (event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
