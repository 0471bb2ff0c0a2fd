import type { Readable } from 'node:stream'
import { createInterface } from 'node:readline'

interface Waiter<T> {
  readonly wants: (item: T) => boolean
  readonly resolve: (item: T) => void
  readonly reject: (error: Error) => void
}

/** What has come so far, and a latch for what is to come. */
export class Arrivals<T> {
  readonly all: T[] = []
  #waiters: Array<Waiter<T>> = []
  #ended: Error | undefined

  add (item: T): void {
    this.all.push(item)
    const due = this.#waiters.filter(({ wants }) => wants(item))
    this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter))
    for (const { resolve } of due) resolve(item)
  }

  /** Nothing more will come: whoever waits, waits in vain. */
  end (why: string): void {
    this.#ended = new Error(why)
    for (const { reject } of this.#waiters) reject(this.#ended)
    this.#waiters = []
  }

  /** The first item, of those that came or will come, that is wanted. */
  async first (wants: (item: T) => boolean): Promise<T> {
    return this.all.find(wants) ?? this.next(wants)
  }

  /** The next item to come that is wanted. */
  async next (wants: (item: T) => boolean = () => true): Promise<T> {
    if (this.#ended !== undefined) throw this.#ended
    return new Promise((resolve, reject) => { this.#waiters.push({ wants, resolve, reject }) })
  }

  /** Resolves once there are so many that are wanted. */
  async count (n: number, wants: (item: T) => boolean = () => true): Promise<T[]> {
    let missing = n - this.all.filter(wants).length
    if (missing > 0) await this.next((item) => wants(item) && --missing === 0)
    return this.all.filter(wants)
  }
}

export function linesOf (stream: Readable): Arrivals<string> {
  const lines = new Arrivals<string>()
  createInterface(stream).on('line', (line) => { lines.add(line) }).on('close', () => { lines.end('the output ended') })
  return lines
}
