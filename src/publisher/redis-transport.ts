import { channelOf } from '../message.js'
import { PublishError } from './errors.js'
import type { Outgoing } from './outgoing.js'
import { Away, type Outcome, type Transport } from './transport.js'

/** What is needed of a Redis client: an ioredis `Redis` or `Cluster`, of version 5 or 6. */
export interface RedisPublishClient {
  readonly status: string
  publish (channel: string, payload: string): Promise<unknown>
  /** What a Cluster has. */
  readonly nodes?: ((role: 'master') => RedisClusterNode[]) | undefined
}

interface RedisClusterNode {
  readonly status: string
  readonly options: { readonly host?: string | undefined, readonly port?: number | undefined }
  publish (channel: string, payload: string): Promise<unknown>
}

/** Answers of Redis that will be others in a while. All others are final: no permission, no such command, … */
const PASSING = /^(LOADING|BUSY|MASTERDOWN|TRYAGAIN|CLUSTERDOWN|READONLY)\b/

/**
 * `PUBLISH` by the caller's own client, which stays the caller's: it is neither configured nor closed. A client may keep a
 * command that is not answered, and send it when it is connected again: so nothing is given to it a second time before it
 * has answered the first, and nothing else meanwhile.
 */
export class RedisTransport implements Transport {
  readonly maxBatch = 500
  readonly #client: RedisPublishClient
  readonly #channelPrefix: string
  readonly #unanswered = new Map<Outgoing, Promise<Outcome>>()

  constructor (client: RedisPublishClient, channelPrefix: string) {
    this.#client = client
    this.#channelPrefix = channelPrefix
  }

  send (batch: readonly Outgoing[]): ReadonlyArray<Promise<Outcome>> {
    if (this.#unanswered.size > 0) return batch.map(async (event) => this.#unanswered.get(event) ?? new Away('Redis has not answered yet'))
    const node = this.#node()
    // One that waits to be asked (lazyConnect) connects when it is; one that is not connected would keep commands for later.
    if (node === undefined || (node.status !== 'ready' && node.status !== 'wait')) {
      return batch.map(async () => new Away(`Redis is not connected (${node?.status ?? 'no node of the cluster'})`))
    }
    // Commands of one turn go in one write.
    return batch.map(async (event) => {
      const reply = this.#publish(node, event)
      this.#unanswered.set(event, reply)
      const outcome = await reply
      this.#unanswered.delete(event)
      return outcome
    })
  }

  close (): void {}

  /**
   * A Cluster would give each PUBLISH to a node at random, and subscribers to another node would get them in another order:
   * all go to one, the same for all publishers, as long as it is there. DESIGN §3.
   */
  #node (): Pick<RedisPublishClient, 'status' | 'publish'> | undefined {
    if (this.#client.nodes === undefined || this.#client.status !== 'ready') return this.#client
    const name = ({ options: { host, port } }: RedisClusterNode) => `${host}:${port}`
    return this.#client.nodes('master').toSorted((a, b) => name(a).localeCompare(name(b)))[0]
  }

  async #publish (node: Pick<RedisPublishClient, 'publish'>, { payload, ...address }: Outgoing): Promise<Outcome> {
    try {
      await node.publish(channelOf(this.#channelPrefix, address), payload)
      return undefined
    } catch (error) {
      return outcomeOf(error as Error)
    }
  }
}

function outcomeOf (error: Error): Outcome {
  if (error.name !== 'ReplyError' || PASSING.test(error.message)) return new Away(`Redis says: ${error.message}`, { cause: error })
  return new PublishError('RTF_REFUSED', `Redis refuses it: ${error.message}`, { cause: error })
}
