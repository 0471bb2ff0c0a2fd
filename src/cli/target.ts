import { Option, type Command } from 'commander'
import type { CommonOptions, MerchantPublisher, PublisherOptions } from '../publisher/index.js'

/** The service in development. */
export const DEFAULT_URL = 'http://localhost:3001'

/** What an `Authorization` can carry. What was given is not shown. */
export function checkCredential (command: Command, flag: string, value: string | undefined): void {
  if (value && !/^[\x21-\x7e]+$/.test(value)) command.error(`error: ${flag} takes no white space, nor what is not ASCII`)
}

export const urlOption = () => new Option('--url <url>', `the service (default: ${DEFAULT_URL})`).env('REALTIME_URL')

/** Where to publish to, as it was given. */
interface TargetOptions {
  readonly redis?: string
  readonly url?: string
  readonly key?: string
  readonly prefix?: string
}

/** Adds the options that say where to publish to. */
export function addTarget (command: Command): Command {
  return command
    .addOption(urlOption().helpGroup('Where to:'))
    .addOption(new Option('--key <key>', 'a PUBLISH_KEY of the service; in development it needs none').env('PUBLISH_KEY').helpGroup('Where to:'))
    .addOption(new Option('--redis <url>', 'instead of the service, the Redis that it is subscribed to').env('REDIS_URL').helpGroup('Where to:'))
    .addOption(new Option('--prefix <prefix>', "with --redis: the service's CHANNEL_PREFIX (default: merchant)").env('CHANNEL_PREFIX').helpGroup('Where to:'))
}

/**
 * The publisher that a command's options ask for. What is typed wins over what the environment says; where it says both,
 * it is the service, as for the library.
 */
export async function openPublisher (command: Command, common: CommonOptions): Promise<MerchantPublisher> {
  const { redis, url, key, prefix } = command.opts<TargetOptions>()
  const typed = (name: keyof TargetOptions) => command.getOptionValueSource(name) === 'cli'
  if (typed('redis') && typed('url')) command.error('error: --redis and --url are two ways; take one')
  checkCredential(command, '--key', key)
  const byRedis = Boolean(redis) && !typed('url') && (typed('redis') || !url)
  const options: PublisherOptions = byRedis
    ? { ...common, redis: redis!, ...(prefix && { channelPrefix: prefix }) }
    : { ...common, http: { url: url || DEFAULT_URL, ...(key && { key }) } }
  // Loaded only here: what ends at a wrong option, or only listens, needs none, and is twice as fast.
  const { MerchantPublisher, PublishError } = await import('../publisher/index.js')
  try {
    return new MerchantPublisher(options)
  } catch (error) {
    /* c8 ignore next -- @preserve A fault of the publisher itself. */
    if (!(error instanceof PublishError)) throw error
    // What was given is not shown: it may hold a password.
    return command.error(byRedis
      ? 'error: --redis takes the URL of a Redis, such as redis://localhost:6379'
      : 'error: --url takes the URL of the service, such as https://realtime.example.com')
  }
}
