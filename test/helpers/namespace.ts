import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Test } from 'tap'

const run = promisify(execFile)

const NEAR_MAC = '02:00:00:00:00:02'
let made = 0

/**
 * A wire: its far end is in a network namespace, where a server has a kernel's settings of its own, and its near end is
 * here, with two addresses. What talks from the doomed one can be made to vanish as if its machine had lost power: no
 * FIN, no RST, and nobody on the way who would say so. For Linux and root, by the `ip` of iproute2.
 */
export class Namespace {
  readonly #name = `rtf-${process.pid}-${++made}`
  readonly #link = `rtf${process.pid}.${made}`
  /** A /29 of what is set aside for such tests, 198.18.0.0/15 (RFC 2544), and most likely of nobody else's. */
  readonly #net: number = 198 * 2 ** 24 + 18 * 2 ** 16 + ((process.pid * 4 + made) % 2 ** 14) * 8

  /** Why this machine has none; `undefined` if it has. */
  static async whyNot (): Promise<string | undefined> {
    const namespace = new Namespace()
    try {
      await namespace.#create()
      await namespace.giveUpAfter(15)
      return undefined
    } catch (error) {
      return `no network namespaces here: ${(error as Error).message.trim().replaceAll('\n', ' ')}`
    } finally {
      await namespace.#remove()
    }
  }

  static async make (t: Test): Promise<Namespace> {
    const namespace = new Namespace()
    t.teardown(() => namespace.#remove())
    await namespace.#create()
    return namespace
  }

  /** What runs a command inside. */
  get launcher (): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name]
  }

  /** The address of the far end. */
  get host (): string {
    return this.#address(1)
  }

  /** The address of the near end that {@link Namespace.vanish} takes away. */
  get doomed (): string {
    return this.#address(3)
  }

  /** How many retransmissions in vain are enough for the kernel inside to call a connection dead; Linux's default is 15. */
  async giveUpAfter (retries: number): Promise<void> {
    await run('ip', ['netns', 'exec', this.#name, 'sysctl', '-qw', `net.ipv4.tcp_retries2=${retries}`])
  }

  async vanish (): Promise<void> {
    await run('ip', ['addr', 'del', `${this.doomed}/29`, 'dev', this.#link])
  }

  async #create (): Promise<void> {
    const commands = [
      ['netns', 'add', this.#name],
      ['link', 'add', this.#link, 'address', NEAR_MAC, 'type', 'veth', 'peer', 'name', 'far', 'netns', this.#name],
      ['addr', 'add', `${this.#address(2)}/29`, 'dev', this.#link],
      ['addr', 'add', `${this.doomed}/29`, 'dev', this.#link],
      ['link', 'set', this.#link, 'up'],
      ['-n', this.#name, 'addr', 'add', `${this.host}/29`, 'dev', 'far'],
      ['-n', this.#name, 'link', 'set', 'far', 'up'],
      // The way to who has vanished is still known, as it is where a router is in between.
      ['-n', this.#name, 'neigh', 'add', this.doomed, 'lladdr', NEAR_MAC, 'dev', 'far', 'nud', 'permanent'],
    ]
    for (const command of commands) await run('ip', command)
  }

  async #remove (): Promise<void> {
    await run('ip', ['link', 'del', this.#link]).catch(() => { /* It was not made. */ })
    await run('ip', ['netns', 'del', this.#name]).catch(() => { /* It was not made. */ })
  }

  #address (n: number): string {
    const address = this.#net + n
    return [24, 16, 8, 0].map((bits) => Math.floor(address / 2 ** bits) % 256).join('.')
  }
}
