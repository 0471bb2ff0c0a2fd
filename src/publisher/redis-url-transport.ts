import type { Redis } from 'ioredis'
import { PublishError } from './errors.js'
import type { Outgoing } from './outgoing.js'
import { RedisTransport } from './redis-transport.js'
import { Away, type Outcome, type Transport } from './transport.js'

const CONNECT_MS = 5_000
const MAX_RECONNECT_MS = 1_000

/**
 * `PUBLISH` by a connection of our own, opened for the first event. The client keeps no command for later and repeats
 * none: that is the outbox's to do.
 */
export class RedisUrlTransport implements Transport {
  readonly maxBatch = 500
  readonly #url: string
  readonly #channelPrefix: string
  #client: Redis | undefined
  #transport: RedisTransport | undefined
  #problem = 'it was never reached'

  constructor (url: string, channelPrefix: string) {
    if (!/^rediss?:\/\/\S/.test(url) || !URL.canParse(url)) throw new PublishError('RTF_BAD_OPTION', 'redis takes an ioredis client or a URL such as redis://localhost:6379')
    this.#url = url
    this.#channelPrefix = channelPrefix
  }

  async send (batch: readonly Outgoing[], timeoutMs: number): Promise<readonly Outcome[]> {
    const client = this.#client ??= await this.#connect()
    this.#transport ??= new RedisTransport(client, this.#channelPrefix)
    if (client.status === 'connecting' || client.status === 'connect') await readyOrClosed(client, timeoutMs)
    if (client.status !== 'ready') return batch.map(() => new Away(`Redis is not connected: ${this.#problem}`))
    const outcomes = await this.#transport.send(batch, timeoutMs)
    // Whoever does not answer a PUBLISH is gone, and the kernel would be long to notice.
    if (outcomes.some((outcome) => outcome instanceof Away)) client.disconnect(true)
    return outcomes
  }

  close (): void {
    this.#client?.disconnect()
  }

  /** Its client is loaded only here: who publishes over HTTP needs none. */
  async #connect (): Promise<Redis> {
    const { Redis } = await import('ioredis')
    const client = new Redis(this.#url, {
      connectionName: 'realtime-fanout:library',
      connectTimeout: CONNECT_MS,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, MAX_RECONNECT_MS),
    })
    client.on('error', ({ message }: Error) => { this.#problem = message })
    return client
  }
}

async function readyOrClosed (client: Redis, timeoutMs: number): Promise<void> {
  const { promise, resolve } = settled()
  const timer = setTimeout(resolve, timeoutMs)
  client.once('ready', resolve).once('close', resolve)
  await promise
  clearTimeout(timer)
  client.off('ready', resolve).off('close', resolve)
}

function settled (): { promise: Promise<void>, resolve: () => void } {
  let resolve: () => void
  const promise = new Promise<void>((_resolve) => { resolve = _resolve })
  return { promise, resolve: resolve! }
}
