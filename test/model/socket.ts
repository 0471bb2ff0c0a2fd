import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'

/** As much of a socket as a connection uses, of a client that takes everything at once. */
export class ModelSocket extends EventEmitter {
  readonly writableLength = 0
  destroyed = false
  readonly #take: (text: string) => void

  constructor (take: (text: string) => void) {
    super()
    this.#take = take
  }

  get asSocket (): Socket {
    return this as unknown as Socket
  }

  _write (bytes: Buffer, _encoding: string, done: () => void): void {
    this.#take(bytes.toString())
    done()
  }

  write (bytes: Buffer): boolean {
    this.#take(bytes.toString())
    return true
  }

  resume (): this {
    return this
  }

  destroySoon (): void {
    this.destroy()
  }

  destroy (): this {
    if (this.destroyed) return this
    this.destroyed = true
    this.emit('close')
    return this
  }
}
