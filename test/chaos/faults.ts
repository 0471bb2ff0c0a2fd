import { setTimeout as sleep } from 'node:timers/promises'
import type { Owed } from './audit.js'
import type { Random } from '../../src/demo/random.js'
import type { Site } from './site.js'

const CUT_MS = 10_000
const REDIS_AWAY_MS = 3_000
const REDIS_FROZEN_MS = 8_000
/** Within this an instance that is in doubt of its subscription has made it anew, or has found it good. */
const DOUBT_MS = 2_000

/** By which one run differs from another. */
export interface Luck {
  readonly random: Random
  /** Whether each fault is as strong as it says, so that it surely hits somebody. */
  readonly full: boolean
  /** How long something lasts that usually lasts so long, in milliseconds. */
  lasting (usualMs: number): number
  /** How many are hit: 0–1. */
  share (): number
}

export interface Fault {
  readonly name: string
  readonly says: string
  readonly owed: Owed
  /** Resolves when all is as it was, but for what it has done to clients. */
  strike (site: Site, luck: Luck): Promise<void>
}

export const faults: readonly Fault[] = [
  {
    name: 'rolling restart',
    says: 'all instances, one after another: a new one; when it is ready, SIGTERM to an old one',
    owed: 'all',
    async strike ({ fleet }) {
      await fleet.roll()
    },
  },
  {
    name: 'Redis restart',
    says: `SIGKILL to Redis, which is back ${REDIS_AWAY_MS / 1_000} s later`,
    owed: 'all or a gap',
    async strike ({ redis, fleet }, luck) {
      await redis.kill()
      await sleep(luck.lasting(REDIS_AWAY_MS))
      await redis.start()
      await fleet.stood(DOUBT_MS)
    },
  },
  {
    name: 'SIGKILL',
    says: 'one instance; another one takes its place',
    owed: 'all',
    async strike ({ fleet }, { random }) {
      await fleet.replace(random.pick(fleet.instances))
    },
  },
  {
    name: 'Redis frozen',
    says: `SIGSTOP to Redis for ${REDIS_FROZEN_MS / 1_000} s`,
    owed: 'all or a gap',
    async strike ({ redis, fleet }, luck) {
      redis.freeze()
      await sleep(luck.lasting(REDIS_FROZEN_MS))
      redis.thaw()
      // It may only now be given up, and looks well until then.
      await sleep(DOUBT_MS)
      await fleet.stood(DOUBT_MS)
    },
  },
  {
    name: 'network cut',
    says: `no client gets through for ${CUT_MS / 1_000} s`,
    owed: 'all',
    async strike ({ fleet }, luck) {
      fleet.clients.cut(luck.share())
      await sleep(luck.lasting(CUT_MS))
      fleet.clients.mend()
    },
  },
  {
    name: 'CLIENT KILL',
    says: 'Redis closes the connections of all subscriptions',
    owed: 'all or a gap',
    async strike ({ redis, fleet }) {
      await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await fleet.stood(DOUBT_MS)
    },
  },
]
