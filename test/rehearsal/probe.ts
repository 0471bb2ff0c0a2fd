import { setTimeout as sleep } from 'node:timers/promises'
import type { ProbeValues } from './values.js'

/**
 * Asks as the kubelet does, on a connection of its own each time, until the signal comes.
 * @param says is told yes of each right answer, and no of each time that there were too many wrong ones in a row.
 */
export async function probe (origin: string, { path, periodMs, timeoutMs, failureThreshold }: ProbeValues, signal: AbortSignal, says: (yes: boolean) => void): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    const next = performance.now() + periodMs
    const right = await isRight(`${origin}${path}`, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]))
    if (signal.aborted) return
    failures = right ? 0 : failures + 1
    if (right || failures % failureThreshold === 0) says(right)
    await sleep(Math.max(0, next - performance.now()), undefined, { signal }).catch(() => { /* There is nothing left to ask. */ })
  }
}

async function isRight (url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const answer = await fetch(url, { headers: { connection: 'close' }, signal })
    await answer.arrayBuffer()
    return answer.ok
  } catch {
    return false // No answer, or none in time.
  }
}
