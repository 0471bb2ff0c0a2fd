import type { CompletionEvent, ErrorEvent, ProgressEvent, StageEvent } from '../message.js'
import { PublishError, type Published } from './errors.js'
import { MerchantPublisher, type CommonOptions, type FieldsOf, type PublisherOptions } from './publisher.js'

/** What {@link optionsOf} reads. */
export interface PublisherEnvironment {
  readonly REDIS_URL?: string | undefined
  readonly CHANNEL_PREFIX?: string | undefined
  /** The service's URL, for publishing over HTTP. */
  readonly REALTIME_URL?: string | undefined
  readonly PUBLISH_KEY?: string | undefined
}

/**
 * Where an environment says to publish to: over HTTP if there is a REALTIME_URL (with its PUBLISH_KEY), else to REDIS_URL.
 * @throws PublishError `RTF_BAD_OPTION` where it says neither
 */
export function optionsOf ({ REDIS_URL, CHANNEL_PREFIX, REALTIME_URL, PUBLISH_KEY }: PublisherEnvironment, options: CommonOptions = {}): PublisherOptions {
  if (REALTIME_URL) return { ...options, http: { url: REALTIME_URL, ...(PUBLISH_KEY && { key: PUBLISH_KEY }) } }
  if (REDIS_URL) return { ...options, redis: REDIS_URL, ...(CHANNEL_PREFIX && { channelPrefix: CHANNEL_PREFIX }) }
  throw new PublishError('RTF_BAD_OPTION', 'the environment says by neither REDIS_URL nor REALTIME_URL where to publish to')
}

let shared: MerchantPublisher | undefined

/**
 * The one that the functions below publish by, made of the process's environment when it is first needed.
 * @throws PublishError `RTF_BAD_OPTION`
 */
export function sharedPublisher (): MerchantPublisher {
  shared ??= new MerchantPublisher(optionsOf(process.env))
  return shared
}

/*
 * The names of the helper that this library replaces: its call sites need a new import only. As in a publisher, nothing
 * rejects: where the environment does not say where to publish to, that is what they resolve with, and warn of.
 */

export async function publishMerchantProgress (merchantId: string, data: FieldsOf<ProgressEvent>): Promise<Published> {
  return publish((publisher) => publisher.progress(merchantId, data))
}

export async function publishMerchantStage (merchantId: string, data: FieldsOf<StageEvent>): Promise<Published> {
  return publish((publisher) => publisher.stage(merchantId, data))
}

export async function publishMerchantCompletion (merchantId: string, data: FieldsOf<CompletionEvent>): Promise<Published> {
  return publish((publisher) => publisher.completion(merchantId, data))
}

export async function publishMerchantError (merchantId: string, data: FieldsOf<ErrorEvent>): Promise<Published> {
  return publish((publisher) => publisher.error(merchantId, data))
}

async function publish (by: (publisher: MerchantPublisher) => Promise<Published>): Promise<Published> {
  let publisher: MerchantPublisher
  try {
    publisher = sharedPublisher()
  } catch (error) {
    process.emitWarning(error as PublishError)
    return { ok: false, error: error as PublishError }
  }
  return by(publisher)
}
