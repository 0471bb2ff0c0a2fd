/** How many may be under way: of those sent before, nothing is believed any more. */
const MAX_UNDER_WAY = 20

interface Probe {
  /** On the monotonic clock, in milliseconds. */
  readonly sentAt: number
  returned: boolean
  confirmed: boolean
}

/**
 * Messages of the service's own, which are published and come back by the subscription: all that was published before one
 * that came back has come in, too, if it was published where the subscription is.
 */
export class Probes {
  readonly #underWay = new Map<number, Probe>()
  #number = 0

  /** @returns what the next one is to say. */
  send (): number {
    this.#underWay.set(++this.#number, { sentAt: performance.now(), returned: false, confirmed: false })
    this.#underWay.delete(this.#number - MAX_UNDER_WAY)
    return this.#number
  }

  /** It came back; how long that took, in milliseconds, or `undefined` if it is none that was sent, or one forgotten. */
  returned (number: number): number | undefined {
    const probe = this.#underWay.get(number)
    if (probe === undefined) return undefined
    probe.returned = true
    return performance.now() - probe.sentAt
  }

  /** It was published where the subscription is. */
  confirmed (number: number): void {
    const probe = this.#underWay.get(number)
    if (probe !== undefined) probe.confirmed = true
  }

  /** When the last one was sent that came back and is confirmed, if there is one since this was asked last. */
  proof (): number | undefined {
    let provenAt: number | undefined
    for (const [number, { sentAt, returned, confirmed }] of this.#underWay) {
      if (!returned || !confirmed) continue
      provenAt = sentAt
      this.#underWay.delete(number)
    }
    return provenAt
  }

  /** Those that are under way prove nothing any more. */
  forget (): void {
    this.#underWay.clear()
  }
}
