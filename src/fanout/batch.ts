import type { Message } from '../message.js'
import type { Filter } from './filter.js'
import { EventFrame, join } from './frame.js'

/** What all clients with the same filter get of a batch: the same frames and the same bytes, not copies of them. */
export class Share {
  readonly filter: Filter | undefined
  readonly frames: readonly EventFrame[]
  /** To how many connections the bytes were handed; kept by the hub. */
  recipients = 0
  #bytes: Buffer | undefined

  constructor (filter: Filter | undefined, frames: readonly EventFrame[]) {
    this.filter = filter
    this.frames = frames
  }

  /** All frames as one write. */
  get bytes (): Buffer {
    this.#bytes ??= join(this.frames)
    return this.#bytes
  }
}

/**
 * What one turn of the event loop brought for one merchant. Each message is encoded once, each distinct filter costs
 * one join; nothing here is done per client.
 */
export class Batch {
  readonly frames: EventFrame[] = []
  readonly shares: Share[] = []

  add (message: Message, id: string | undefined): void {
    this.frames.push(new EventFrame(message, id))
  }

  /** What one filter lets through, made when first asked for; without frames where it accepts none of the messages. */
  share (filter: Filter | undefined): Share {
    // A merchant's clients have few distinct filters: a scan of a short array beats a map.
    for (const share of this.shares) {
      if (share.filter?.key === filter?.key) return share
    }
    const frames = filter === undefined ? this.frames : this.frames.filter(({ message }) => filter.accepts(message.topic))
    const share = new Share(filter, frames)
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
