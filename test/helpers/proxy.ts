import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A wire to a port of this machine that can be cut without either end being told, as when a cable is pulled. */
export class Proxy {
  readonly port: number
  readonly #pairs = new Set<readonly [Socket, Socket]>()

  private constructor (port: number) {
    this.port = port
  }

  static async start (t: Test, target: number): Promise<Proxy> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = new Proxy((server.address() as AddressInfo).port)
    server.on('connection', (near) => {
      const far = connect(target, '127.0.0.1')
      const pair = [near, far] as const
      proxy.#pairs.add(pair)
      near.pipe(far).pipe(near)
      for (const end of pair) end.on('error', () => { /* 'close' follows. */ })
      for (const end of pair) {
        end.on('close', () => {
          // A pair that was cut is known to nobody: one end's going must not reach the other.
          if (proxy.#pairs.delete(pair)) for (const each of pair) each.destroy()
        })
      }
      t.teardown(() => { for (const end of pair) end.destroy() })
    })
    t.teardown(() => { server.close() })
    return proxy
  }

  /**
   * From now on nothing passes on the connections that there are: no byte, no end, no reset. New ones work.
   * @param address cuts that one only which the target knows by this address.
   */
  cut (address?: string): void {
    for (const pair of this.#pairs) {
      const [near, far] = pair
      if (address !== undefined && address !== addressOf(far)) continue
      near.unpipe(far)
      far.unpipe(near)
      near.pause()
      far.pause()
      this.#pairs.delete(pair)
    }
  }

  /**
   * From now on what the target sends on the connections that it knows by these addresses is kept, until it is handed
   * over by {@link Proxy.release}, in order.
   */
  delay (addresses: readonly string[]): void {
    for (const [near, far] of this.#pairs) {
      if (!addresses.includes(addressOf(far))) continue
      far.unpipe(near)
      far.pause()
    }
  }

  release (): void {
    for (const [near, far] of this.#pairs) {
      // Once more for one that was not delayed would be a second time.
      if (far.isPaused()) far.pipe(near)
    }
  }

  /** From now on all messages of a subscription are lost on the connection that the target knows by this address, and nothing else is. */
  deafen (address: string): void {
    for (const [near, far] of this.#pairs) {
      if (address !== addressOf(far)) continue
      far.unpipe(near)
      far.on('data', (bytes: Buffer) => { near.write(bytes.toString('latin1').replaceAll(PMESSAGE, ''), 'latin1') }).resume()
    }
  }
}

/** A message as RESP3 sends it to a subscriber: a push of four strings. */
const PMESSAGE = />4\r\n\$8\r\npmessage\r\n(?:\$\d+\r\n[^\r]*\r\n){3}/g

/** By which address the target of the wire knows its end of it. */
function addressOf (far: Socket): string {
  return `${far.localAddress}:${far.localPort}`
}
