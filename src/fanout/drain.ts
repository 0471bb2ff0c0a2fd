import { setTimeout as sleep } from 'node:timers/promises'

export interface Pace {
  /** Over how long, in milliseconds. */
  readonly windowMs: number
  /** All the rest at once, from when this is aborted. */
  readonly hurry: AbortSignal
}

const STEP_MS = 20
/** What a stall of the event loop has held up is made up for as if it had been no longer than this, in milliseconds. */
const MAX_STALL_MS = 100
/** What is left so long after the window is over is not worth waiting for. */
const OVERTIME_MS = 3_000

/**
 * Calls `each` for every item, spread evenly over a window: at no more than twice the pace where the event loop is late,
 * so that whoever takes these clients over never sees a crowd.
 */
export async function paced<T> (items: readonly T[], { windowMs, hurry }: Pace, each: (item: T) => void): Promise<void> {
  const perMs = items.length / windowMs
  const startedAt = performance.now()
  let done = 0
  for (let before = startedAt; done < items.length; await pause(STEP_MS, hurry)) {
    const now = performance.now()
    const passed = now - startedAt
    const atOnce = hurry.aborted || passed >= windowMs + OVERTIME_MS || windowMs === 0
    const most = Math.ceil(2 * perMs * Math.min(Math.max(now - before, STEP_MS), MAX_STALL_MS))
    const due = atOnce ? items.length : Math.min(items.length, done + most, Math.ceil(perMs * passed))
    for (; done < due; done++) each(items[done]!)
    before = now
  }
}

/** In no order, so that what belongs together is spread, too. */
export function shuffled<T> (items: Iterable<T>): T[] {
  const all = [...items]
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[all[i], all[j]] = [all[j]!, all[i]!]
  }
  return all
}

/** Resolves after so many milliseconds, or at once when there is hurry. */
export async function pause (ms: number, hurry: AbortSignal): Promise<void> {
  // Rejects for nothing but hurry, which is no failure.
  await sleep(ms, undefined, { signal: hurry }).catch(() => {})
}
