import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Test } from 'tap'
import { Arrivals } from './arrivals.js'
import { freePort } from './free-port.js'

/** The server of an issuer, on a port of its own, that publishes a key set, or fails to. */
export class JwksServer {
  readonly url: string
  /** One for each request that came. */
  readonly requests = new Arrivals<ServerResponse>()
  keys: readonly unknown[] = []
  /** What it answers in place of the key set; to hang, nothing at all. */
  instead: ((response: ServerResponse) => void) | undefined
  #server: Server | undefined

  private constructor (port: number) {
    this.url = `http://127.0.0.1:${port}/jwks.json`
  }

  static async start (t: Test, ...keys: unknown[]): Promise<JwksServer> {
    const server = await JwksServer.absent(t, ...keys)
    await server.start()
    return server
  }

  /** Not running yet; {@link JwksServer.start} starts it. */
  static async absent (t: Test, ...keys: unknown[]): Promise<JwksServer> {
    const server = new JwksServer(await freePort())
    server.keys = keys
    t.teardown(() => server.stop())
    return server
  }

  async start (): Promise<void> {
    this.#server = createServer((_request, response) => {
      if (this.instead === undefined) response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: this.keys }))
      else this.instead(response)
      this.requests.add(response)
    }).listen(Number(new URL(this.url).port), '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async stop (): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
}
