import type { Message } from '../message.js'
import type { Filter } from './filter.js'
import * as frame from './frame.js'

/** What all clients with the same filter get of a batch: the same bytes, not a copy of them. */
export interface Share {
  readonly filter: Filter | undefined
  readonly bytes: Buffer
  /** To how many connections the bytes were handed; kept by the hub. */
  recipients: number
}

/**
 * What one turn of the event loop brought for one merchant. Each message is encoded once, each distinct filter costs
 * one join; nothing here is done per client.
 */
export class Batch {
  readonly messages: Message[] = []
  readonly shares: Share[] = []
  readonly #frames: string[] = []

  add (message: Message): void {
    this.messages.push(message)
    this.#frames.push(frame.event(message.name, message.payload))
  }

  /** The bytes for one filter, made when first asked for; empty where the filter accepts none of the messages. */
  share (filter: Filter | undefined): Share {
    // A merchant's clients have few distinct filters: a scan of a short array beats a map.
    for (const share of this.shares) {
      if (share.filter?.key === filter?.key) return share
    }
    const frames = filter === undefined ? this.#frames : this.#frames.filter((_, i) => filter.accepts(this.messages[i]!.topic))
    const share: Share = { filter, bytes: Buffer.from(frames.join('')), recipients: 0 }
    this.shares.push(share)
    return share
  }

  /** To how many connections a message of this batch was handed. */
  recipientsOf (message: Message): number {
    let recipients = 0
    for (const share of this.shares) {
      if (share.filter === undefined || share.filter.accepts(message.topic)) recipients += share.recipients
    }
    return recipients
  }
}
