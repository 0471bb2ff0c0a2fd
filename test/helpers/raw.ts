import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import { Arrivals } from './arrivals.js'

/** A client that sends bytes as they are, and keeps what comes back as it came. */
export class RawClient {
  /** All that was answered so far, anew at every piece of it. */
  readonly #answers = new Arrivals<string>()
  readonly socket: Socket
  readonly closed: Promise<void>

  constructor (t: Test, port: number, request = '', { host = '127.0.0.1', localAddress }: { readonly host?: string, readonly localAddress?: string } = {}) {
    this.socket = connect({ port, host, localAddress }).setEncoding('utf8')
    t.teardown(() => { this.socket.destroy() })
    this.socket.on('data', (text: string) => { this.#answers.add(this.answer + text) })
    this.socket.on('error', () => { /* 'close' follows. */ })
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        this.#answers.end('the connection ended')
        resolve()
      })
    })
    this.send(request)
  }

  get answer (): string {
    return this.#answers.all.at(-1) ?? ''
  }

  send (text: string): void {
    this.socket.write(text)
  }

  /**
   * Leaves by a reset; or by a close, once the service has ended the connection. Node.js then ends it as well, and while
   * it does, a reset is refused by libuv (`EINVAL`): the socket is never closed, and the process spins when it would exit.
   */
  reset (): void {
    if (this.socket.writableEnded) this.socket.destroy()
    else this.socket.resetAndDestroy()
  }

  /** Resolves once the answer contains this. */
  async until (text: string): Promise<string> {
    return this.#answers.first((answer) => answer.includes(text))
  }
}
