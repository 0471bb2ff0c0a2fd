import t from 'tap'
import { Backoff } from '../src/client/backoff.js'
import { Random } from '../src/demo/random.js'

const CLIENTS = 2_000

/** How long each of many clients waits before its n-th attempt in a row that failed, from 1 on. */
function waits (n: number, prepare: (backoff: Backoff) => void = () => {}, retryAfterMs?: number): number[] {
  const random = new Random(n)
  return Array.from({ length: CLIENTS }, () => {
    const backoff = new Backoff(() => random.next())
    prepare(backoff)
    let ms = 0
    for (let i = 0; i < n; i++) ms = backoff.next(true, retryAfterMs)
    return ms
  })
}

/** Whether so many are spread evenly over this: about a tenth in each tenth. */
function isSpread (ms: readonly number[], from: number, to: number): boolean {
  const tenths = Array<number>(10).fill(0)
  for (const each of ms) tenths[Math.floor((each - from) / (to - from) * 10)]!++
  return tenths.length === 10 && tenths.every((count) => Math.abs(count - CLIENTS / 10) < CLIENTS / 25)
}

t.test('those who failed together come back spread over all of a time that doubles, up to 30 s', async (t) => {
  for (const [n, most] of [[1, 1_000], [2, 2_000], [3, 4_000], [4, 8_000], [5, 16_000], [6, 30_000], [7, 30_000], [50, 30_000], [5_000, 30_000]] as const) {
    t.ok(isSpread(waits(n), 0, most), `attempt ${n}: 0–${most} ms`)
  }
})

t.test('and no sooner than was asked for: by the stream, or by the refusal, whichever is later', async (t) => {
  t.ok(isSpread(waits(2, (backoff) => { backoff.retry(3_000) }), 3_000, 5_000))
  t.ok(isSpread(waits(2, (backoff) => { backoff.retry(3_000) }, 1_000), 3_000, 5_000))
  t.ok(isSpread(waits(2, (backoff) => { backoff.retry(3_000) }, 60_000), 60_000, 62_000))
  t.ok(isSpread(waits(1, (backoff) => { backoff.retry(1e15) }), 3_600_000, 3_601_000), 'but within an hour')
})

t.test('after a stream there is no more to it than what that asked for, and it begins anew', async (t) => {
  const backoff = new Backoff(() => 0.5)
  t.equal(backoff.next(false), 500, 'if it did')
  for (let i = 0; i < 5; i++) backoff.next(true)
  backoff.reset()
  backoff.retry(1_234)
  t.equal(backoff.next(false), 1_234)
  t.equal(backoff.next(true), 1_234 + 500)
})
