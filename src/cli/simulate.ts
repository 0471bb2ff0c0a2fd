import { setMaxListeners } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import { planOrder, runOrder, type OrderOutcome } from '../demo/order.js'
import { Random } from '../demo/random.js'
import type { DurationStore, MerchantPublisher, PublishError } from '../publisher/index.js'
import { EXIT, Failure } from './failure.js'
import { interruption } from './interrupt.js'
import { number, whole } from './numbers.js'
import { addTarget, openPublisher } from './target.js'
import { duration } from './view.js'

interface SimulateOptions {
  readonly merchants: number
  readonly orders: number
  readonly rate: number
  readonly failures: number
  readonly speed: number
  readonly seed: number
}

const FRAME_MS = 250

const HELP = `
Orders go through upload, validation, ai_parsing, matching and saving, by the publisher library's workflows. The
merchants are TEST, TEST-2, TEST-3, … in turn. With the same --seed, the same happens.

Examples:
  $ realtime-fanout simulate
  $ realtime-fanout simulate --merchants 5 --orders 20 --rate 2
  $ realtime-fanout simulate --orders 3 --speed 20 --failures 0.5 --seed 7
  $ realtime-fanout simulate --orders 3 --speed 20 --redis redis://localhost:6379
and in another terminal:
  $ realtime-fanout listen --merchant TEST

Exit codes: 0 all orders have ended, as they were to; 1 something could not be published, 2 wrong usage,
130 stopped by Ctrl-C or SIGTERM (the orders under way are published as failed; a second one stops at once).`

export function addSimulate (program: Command): void {
  const command = program.command('simulate')
    .description('Publish what purchase orders that nobody sent go through, to try things out.')
    .option('--merchants <n>', 'how many merchants', whole(1, 10_000), 1)
    .option('--orders <n>', 'how many orders in all', whole(1, 1_000_000), 10)
    .option('--rate <n>', 'orders that begin per second', number(0.001, 10_000), 1)
    .option('--failures <share>', 'how many of them fail, 0–1', number(0, 1), 0.1)
    .option('--speed <factor>', 'how much faster than usual each order is', number(0.01, 10_000), 1)
    .option('--seed <n>', 'what is random, again (default: another one each time)', whole(0, 2 ** 32 - 1))
  addTarget(command).addHelpText('after', HELP).action(async (options: Omit<SimulateOptions, 'seed'> & { seed?: number }) => {
    await simulate(command, { ...options, seed: options.seed ?? Math.floor(Math.random() * 2 ** 20) })
  })
}

/** How a simulation stands. */
interface Tally extends Record<OrderOutcome | 'stopped', number> {
  started: number
}

interface Run {
  readonly publisher: MerchantPublisher
  readonly durations: DurationStore
  readonly tally: Tally
  /** Stops it. */
  readonly signal: AbortSignal
}

async function simulate (command: Command, options: SimulateOptions): Promise<void> {
  const ending = new AbortController()
  const interrupted = interruption()
  const signal = AbortSignal.any([ending.signal, interrupted])
  setMaxListeners(0, signal) // Each order that is under way is one.
  interrupted.addEventListener('abort', () => { process.stderr.write('realtime-fanout: stopping; again stops at once\n') })
  let trouble: PublishError | undefined
  const publisher = await openPublisher(command, {
    onError: (error) => {
      trouble = error
      // A target that has never taken anything is a wrong one; one that has may come back.
      if (publisher.counts.published === 0) ending.abort()
    },
  })
  const tally: Tally = { started: 0, completed: 0, failed: 0, stopped: 0 }
  const { MemoryDurations } = await import('../publisher/index.js')
  const startedAt = performance.now()
  const stopShowing = await show(tally, publisher, options)
  await runAll(options, { publisher, durations: new MemoryDurations(), tally, signal })
  await publisher.close()
  stopShowing()

  const { published, failed } = publisher.counts
  const stopped = tally.stopped === 0 ? '' : `, ${tally.stopped} stopped`
  const lost = failed === 0 ? '' : ` (${failed} were not)`
  process.stdout.write(`${tally.started} orders: ${tally.completed} completed, ${tally.failed} failed${stopped}; ${published} events published${lost} in ${duration(performance.now() - startedAt)} (--seed ${options.seed})\n`)
  if (trouble !== undefined) throw new Failure(`not published: ${trouble.message}`)
  if (interrupted.aborted) process.exitCode = EXIT.interrupted
}

/** Resolves when all orders have ended, or been stopped. */
async function runAll ({ merchants, orders, rate, failures, speed, seed }: SimulateOptions, { publisher, durations, tally, signal }: Run): Promise<void> {
  const random = new Random(seed)
  const wait = async (ms: number) => pause(ms, undefined, { signal })
  const startedAt = performance.now()
  const running = new Set<Promise<void>>()
  for (let n = 0; n < orders; n++) {
    // Of those that come more often than timers fire, several begin at once.
    const dueMs = startedAt + n * 1_000 / rate - performance.now()
    if (dueMs > 0) await wait(dueMs).catch(() => { /* Stopped, which the loop looks at. */ })
    if (signal.aborted) break
    tally.started++
    const merchant = n % merchants
    const plan = planOrder(`PO-${1_001 + n}`, random, failures)
    const order = runOrder(plan, {
      publisher,
      merchantId: merchant === 0 ? 'TEST' : `TEST-${merchant + 1}`,
      durations,
      pause: async (ms) => { await wait(ms / speed) },
    }).then((outcome) => { tally[outcome]++ }, () => { tally.stopped++ }).finally(() => { running.delete(order) })
    running.add(order)
  }
  await Promise.all(running)
}

/** Counts on a terminal while it goes on. */
async function show (tally: Tally, publisher: MerchantPublisher, { orders }: SimulateOptions): Promise<() => void> {
  if (!process.stdout.isTTY) return () => {}
  const { Terminal } = await import('./terminal.js')
  const terminal = new Terminal(process.stdout)
  const draw = () => {
    const { started, completed, failed, stopped } = tally
    terminal.draw([`${started} of ${orders} orders: ▸ ${started - completed - failed - stopped} running, ✓ ${completed} completed, ✗ ${failed} failed; ${publisher.counts.published} events published`])
  }
  draw()
  const timer = setInterval(draw, FRAME_MS)
  return () => {
    clearInterval(timer)
    terminal.draw([])
    terminal.end()
  }
}
