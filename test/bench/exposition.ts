import { setTimeout as sleep } from 'node:timers/promises'

/** What the service says at /metrics: values by name, labels and all. */
export type Exposition = ReadonlyMap<string, number>

const POLL_MS = 50

/** Reads a service's metrics. */
export async function expositionOf (port: number): Promise<Exposition> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } })
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`)
  return parse(await response.text())
}

/** What the service would have said at /metrics, in its own words. */
export function parse (text: string): Exposition {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => {
    const space = line.lastIndexOf(' ')
    return [line.slice(0, space), Number(line.slice(space + 1))]
  }))
}

/** The value of a metric without labels. */
export function valueOf (exposition: Exposition, name: string): number {
  const value = exposition.get(name)
  if (value === undefined) throw new Error(`/metrics has no ${name}`)
  return value
}

/** Resolves when a metric has this value; rejects if it has not, so much later. */
export async function comesTo (port: number, name: string, value: number, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const got = valueOf(await expositionOf(port), name)
    if (got === value) return
    if (performance.now() > deadline) throw new Error(`${name} is ${got} and not ${value}`)
    await sleep(POLL_MS)
  }
}
