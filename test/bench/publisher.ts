/* A process that publishes to a plan. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { micros } from './clock.js'
import { encode, topicOf, type Story } from './event.js'
import { percentile } from './percentile.js'
import { serve } from './worker.js'

/** Events number `from` to `to` (exclusive) at an even rate, to the merchants in turn. */
interface Plan {
  readonly from: number
  readonly to: number
  readonly perSecond: number
  readonly merchants: number
  readonly story: Story
}

/** How long Redis may take to acknowledge the last of a plan. */
const ACKNOWLEDGE_MS = 1_000

const redis = new Redis(process.env.REDIS_URL!, { maxRetriesPerRequest: 0, retryStrategy: null })
redis.on('error', (error: Error) => { process.stderr.write(`publisher: ${error.message}\n`) })

/** Publishes each event when it is due, or as soon after that as it comes to run: being late makes no event be left out. */
async function publish ({ from, to, perSecond, merchants, story }: Plan) {
  const startedAt = micros()
  const dueAt = (number: number) => startedAt + (number - from) / perSecond * 1e6
  const lateness: number[] = []
  let acknowledged = 0
  const unanswered = new Set<Promise<void>>()
  for (let number = from; number < to;) {
    const now = micros()
    const timestamp = Date.now()
    const pipeline = redis.pipeline()
    for (; number < to && dueAt(number) <= now; number++) {
      lateness.push(now - dueAt(number))
      pipeline.publish(`merchant:m${number % merchants}:${topicOf(number, story)}`, encode({ number, publishedAt: micros(), timestamp }, story))
    }
    const count = pipeline.length
    if (count > 0) {
      const answer = pipeline.exec().then(() => {
        acknowledged += count
        unanswered.delete(answer)
      }, () => { /* Missing in `acknowledged`. */ })
      unanswered.add(answer)
    }
    if (number < to) await sleep(Math.max(0, (dueAt(number) - micros()) / 1_000))
  }
  await Promise.race([Promise.all(unanswered), sleep(ACKNOWLEDGE_MS)])
  lateness.sort((a, b) => a - b)
  return { startedAt, published: to - from, acknowledged, latenessMs: (percentile(lateness, 0.99) ?? 0) / 1_000 }
}

const handlers = { publish }
export type Publisher = typeof handlers
export type Publication = Awaited<ReturnType<typeof publish>>

serve(handlers)
