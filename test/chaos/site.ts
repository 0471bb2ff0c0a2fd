import { TestRedis } from '../helpers/redis.js'
import type { Marks } from './audit.js'
import { Crowd } from './crowd.js'
import { Fleet } from './fleet.js'
import type { Lane } from './lane.js'
import { HttpPublisher, PlainPublisher, type Publisher } from './publishers.js'
import type { Scope } from './scope.js'
import { within } from './within.js'

const MERCHANTS = 60
const CLIENTS_EACH = 5
/** By both publishers together. */
const PER_SECOND = 200
const START_MS = 60_000
const ENV = { HEARTBEAT_MS: '2000', READY_WARMUP_MS: '9000', RETRY_MS: '1000', DRAIN_DELAY_MS: '500', DRAIN_WINDOW_MS: '2000', LOG_LEVEL: 'info' }

/** All that takes part: instances on a real Redis, clients behind a balancer, publishers. */
export class Site {
  static readonly says = `${MERCHANTS * CLIENTS_EACH} clients of ${MERCHANTS} merchants, ${PER_SECOND} messages/s by two publishers (PUBLISH, HTTP)`
  readonly redis: TestRedis
  readonly fleet: Fleet
  readonly crowd: Crowd
  readonly #publishers: readonly Publisher[]

  private constructor (redis: TestRedis, fleet: Fleet, crowd: Crowd, publishers: readonly Publisher[]) {
    this.redis = redis
    this.fleet = fleet
    this.crowd = crowd
    this.#publishers = publishers
  }

  /** All clients are connected, and publishing has begun. */
  static async open (scope: Scope): Promise<Site> {
    const redis = await TestRedis.start(scope)
    const fleet = await within(START_MS, Fleet.start(scope, { ...ENV, REDIS_URL: redis.url }), () => 'not all instances are ready')
    const merchants = Array.from({ length: MERCHANTS }, (_, i) => `m${i + 1}`)
    const publishers = [
      new PlainPublisher(redis.url, merchants, PER_SECOND / 2),
      new HttpPublisher(fleet.publishers.url, merchants, PER_SECOND / 2),
    ]
    const crowd = new Crowd(scope, fleet.clients.url, publishers.flatMap(({ lanes }) => lanes), CLIENTS_EACH)
    await within(START_MS, crowd.complete(), () => crowd.absent)
    for (const publisher of publishers) {
      scope.teardown(async () => publisher.stop())
      publisher.start()
    }
    return new Site(redis, fleet, crowd, publishers)
  }

  get lanes (): readonly Lane[] {
    return this.#publishers.flatMap(({ lanes }) => lanes)
  }

  /** How much has been published. */
  get marks (): Marks {
    return new Map(this.lanes.map((lane) => [lane, lane.next]))
  }

  /** Resolves when the outcomes of all that has been published so far are known. */
  async settled (): Promise<void> {
    await Promise.all(this.#publishers.map(async (publisher) => publisher.settled()))
  }
}
