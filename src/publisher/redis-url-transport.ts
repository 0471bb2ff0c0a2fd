import type { Redis } from 'ioredis'
import { PublishError } from './errors.js'
import type { Outgoing } from './outgoing.js'
import { RedisTransport } from './redis-transport.js'
import { Away, type Outcome, type Transport } from './transport.js'

const CONNECT_MS = 5_000
const MAX_RECONNECT_MS = 1_000
/** What the answer to a connection's password is; it will be the same the next time. */
const REFUSED = /^(NOAUTH|WRONGPASS)\b/

/**
 * `PUBLISH` by a connection of our own, opened for the first event. The client keeps no command for later and repeats
 * none: that is the outbox's to do.
 */
export class RedisUrlTransport implements Transport {
  readonly maxBatch = 500
  readonly #url: string
  readonly #channelPrefix: string
  #connection: Promise<{ client: Redis, transport: RedisTransport }> | undefined
  #problem = 'it was not reached in time'

  constructor (url: string, channelPrefix: string) {
    if (!isRedisUrl(url)) throw new PublishError('RTF_BAD_OPTION', 'redis takes an ioredis client or a URL such as redis://user:password@localhost:6379/0, without a query')
    this.#url = url
    this.#channelPrefix = channelPrefix
  }

  send (batch: readonly Outgoing[], signal: AbortSignal): ReadonlyArray<Promise<Outcome>> {
    const replies = this.#send(batch, signal)
    return batch.map(async (_event, i) => (await replies)[i])
  }

  close (): void {
    void this.#connection?.then(({ client }) => { client.disconnect() })
  }

  async #send (batch: readonly Outgoing[], signal: AbortSignal): Promise<ReadonlyArray<Promise<Outcome>>> {
    const { client, transport } = await (this.#connection ??= this.#connect())
    if (client.status === 'connecting' || client.status === 'connect') await readyOrClosed(client, signal)
    if (client.status !== 'ready') return batch.map(async () => this.#absence())
    // Whoever does not answer a PUBLISH is gone, and the kernel would be long to notice.
    const giveUp = () => { client.disconnect(true) }
    signal.addEventListener('abort', giveUp, { once: true })
    const replies = transport.send(batch)
    void Promise.all(replies).then(() => { signal.removeEventListener('abort', giveUp) })
    return replies
  }

  #absence (): Outcome {
    if (REFUSED.test(this.#problem)) return new PublishError('RTF_REFUSED', `Redis refuses it: ${this.#problem}`)
    return new Away(`Redis is not connected: ${this.#problem}`)
  }

  /** Its client is loaded only here: who publishes over HTTP needs none. */
  async #connect (): Promise<{ client: Redis, transport: RedisTransport }> {
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
    return { client, transport: new RedisTransport(client, this.#channelPrefix) }
  }
}

/** A query would be options of the client, and undo what has to be so. */
function isRedisUrl (text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, search } = new URL(text)
  try {
    decodeURIComponent(username + password)
  } catch {
    return false // A % that should be %25.
  }
  return (protocol === 'redis:' || protocol === 'rediss:') && search === ''
}

async function readyOrClosed (client: Redis, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      client.off('ready', done).off('close', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    client.on('ready', done).on('close', done)
    signal.addEventListener('abort', done)
  })
}
