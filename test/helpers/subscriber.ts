import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { Arrivals } from './arrivals.js'
import type { TestRedis } from './redis.js'

export interface Heard {
  readonly channel: string
  readonly event: Record<string, unknown>
}

/** All that is published on merchants' channels of a Redis, as any subscriber gets it; `_probe` is of the service. */
export async function subscribeTo (t: Test, redis: TestRedis): Promise<Arrivals<Heard>> {
  const heard = new Arrivals<Heard>()
  const client = new Redis(redis.url, { maxRetriesPerRequest: null })
  t.teardown(() => { client.disconnect() })
  client.on('error', () => { /* It comes back by itself. */ })
  client.on('pmessage', (_pattern: string, channel: string, payload: string) => {
    if (!channel.startsWith('merchant:_probe:')) heard.add({ channel, event: JSON.parse(payload) as Heard['event'] })
  })
  await client.psubscribe('merchant:*:*')
  return heard
}
