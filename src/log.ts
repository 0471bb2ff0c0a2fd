import { pino, type DestinationStream, type Logger } from 'pino'

/** What a request may show of itself in a log: never its query string or headers, where credentials travel. */
interface LoggedRequest {
  readonly method: string
  readonly url: string
  readonly ip?: string
}

/** @param destination standard output, if not given. */
export function createLog (level: string, destination: DestinationStream = pino.destination(1)): Logger {
  return pino({
    level,
    serializers: { req: ({ method, url, ip }: LoggedRequest) => ({ method, path: url.split('?', 1)[0], ip }) },
  }, destination)
}

/** Lets one event through per period, so that a flood of problems is not also a flood of lines. */
export class Throttle {
  readonly #periodMs: number
  #openAt = -Infinity
  #heldBack = 0

  constructor (periodMs: number) {
    this.#periodMs = periodMs
  }

  /** How many were held back since the last that passed, if this one passes; `undefined` if it does not. */
  pass (now = performance.now()): number | undefined {
    if (now < this.#openAt) {
      this.#heldBack++
      return undefined
    }
    const heldBack = this.#heldBack
    this.#heldBack = 0
    this.#openAt = now + this.#periodMs
    return heldBack
  }
}
