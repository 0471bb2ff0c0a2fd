import { setTimeout as sleep } from 'node:timers/promises'

export interface Pace {
  /** Over how long, in milliseconds. */
  readonly windowMs: number
  /** All the rest at once, from when this is aborted. */
  readonly hurry: AbortSignal
}

const STEP_MS = 20

/**
 * Calls `each` for every item, spread evenly over a window. What a stall of the event loop has held up is made up for
 * at no more than twice the pace, so that whoever takes these clients over never sees a crowd.
 */
export async function paced<T> (items: readonly T[], { windowMs, hurry }: Pace, each: (item: T) => void): Promise<void> {
  const startedAt = performance.now()
  const perMs = items.length / windowMs
  const atMost = Math.ceil(2 * perMs * STEP_MS)
  let done = 0
  while (done < items.length) {
    const onTime = perMs * (performance.now() - startedAt)
    const due = hurry.aborted || windowMs === 0 ? items.length : Math.min(items.length, done + atMost, Math.ceil(onTime))
    for (; done < due; done++) each(items[done]!)
    if (done < items.length) await pause(STEP_MS, hurry)
  }
}

/** Resolves after so many milliseconds, or at once when there is hurry. */
export async function pause (ms: number, hurry: AbortSignal): Promise<void> {
  // Rejects for nothing but hurry, which is no failure.
  await sleep(ms, undefined, { signal: hurry }).catch(() => {})
}
