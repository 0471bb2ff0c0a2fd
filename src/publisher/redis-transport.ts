import { channelOf } from '../message.js'
import { PublishError } from './errors.js'
import type { Outgoing } from './outgoing.js'
import { Away, type Outcome, type Transport } from './transport.js'

/** What is needed of a Redis client: an ioredis `Redis` or `Cluster`, of version 5 or 6. */
export interface RedisPublishClient {
  readonly status: string
  publish (channel: string, payload: string): Promise<unknown>
}

/** Answers of Redis that will be others in a while. All others are final: no permission, no such command, … */
const PASSING = /^(LOADING|BUSY|MASTERDOWN|TRYAGAIN|CLUSTERDOWN|READONLY)\b/

/** `PUBLISH` by the caller's own client, which stays the caller's: it is neither configured nor closed. */
export class RedisTransport implements Transport {
  readonly maxBatch = 500
  readonly #client: RedisPublishClient
  readonly #channelPrefix: string

  constructor (client: RedisPublishClient, channelPrefix: string) {
    this.#client = client
    this.#channelPrefix = channelPrefix
  }

  async send (batch: readonly Outgoing[], timeoutMs: number): Promise<readonly Outcome[]> {
    // A client that is not connected would keep commands for later, and we would send them again. One that waits to be
    // asked (lazyConnect) connects when it is.
    if (this.#client.status !== 'ready' && this.#client.status !== 'wait') {
      return batch.map(() => new Away(`Redis is not connected (${this.#client.status})`))
    }
    // Commands of one turn go in one write; they are not of one pipeline, which a Cluster would refuse.
    const replies = batch.map(({ payload, ...address }) => this.#client.publish(channelOf(this.#channelPrefix, address), payload).then(sent, outcomeOf))
    return answersWithin(timeoutMs, replies)
  }

  close (): void {}
}

/** The outcome of each; those that are still out when the time is over are away. */
async function answersWithin (timeoutMs: number, replies: ReadonlyArray<Promise<Outcome>>): Promise<Outcome[]> {
  let timer: NodeJS.Timeout
  const late = new Promise<Away>((resolve) => { timer = setTimeout(() => { resolve(new Away(`Redis has not answered within ${timeoutMs} ms`)) }, timeoutMs) })
  const outcomes = await Promise.all(replies.map(async (reply) => Promise.race([reply, late])))
  clearTimeout(timer!)
  return outcomes
}

const sent = (): undefined => undefined

function outcomeOf (error: Error): Outcome {
  if (error.name !== 'ReplyError' || PASSING.test(error.message)) return new Away(`Redis says: ${error.message}`, { cause: error })
  return new PublishError('RTF_REFUSED', `Redis refuses it: ${error.message}`, { cause: error })
}
