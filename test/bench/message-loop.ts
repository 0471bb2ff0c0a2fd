/* A process in which the built service takes messages from a broker that is nothing but a loop. */
import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import type * as App from '../../src/app.js'
import type { Receiver } from '../../src/broker/broker.js'
import { MemoryBroker } from '../../src/broker/memory.js'
import type * as Configuration from '../../src/config.js'
import { micros } from './clock.js'
import { encode } from './event.js'
import { parse } from './exposition.js'
import { serve } from './worker.js'

interface Beginning {
  /** Of the service's environment, what is not as by default. */
  readonly settings: Readonly<Record<string, string>>
  /** To whom messages come in turn; none has a client. */
  readonly merchants: number
}

class LoopBroker extends MemoryBroker {
  receiver: Receiver | undefined

  override start (receiver: Receiver): void {
    super.start(receiver)
    this.receiver = receiver
  }
}

/** So many messages come in one turn of the event loop: some of what one read of a socket brings. */
const PER_TURN = 100
/** Prime, so that each merchant gets other ones each time. */
const PAYLOADS = 10_007

// What is measured is what was built; type checks have to do without that.
const built = (file: string) => import(new URL(`../../dist/${file}`, import.meta.url).href) as Promise<unknown>
const { buildApp } = await built('app.js') as typeof App
const { loadConfig } = await built('config.js') as typeof Configuration

const broker = new LoopBroker()
const payloads = Array.from({ length: PAYLOADS }, (_, number) => encode({ number, publishedAt: micros(), timestamp: Date.now() }, {}))
let server: App.App['server'] | undefined
let channels: readonly Buffer[] = []
let next = 0

/** Puts the service together. Called once. */
async function start ({ settings, merchants }: Beginning): Promise<void> {
  channels = Array.from({ length: merchants }, (_, merchant) => Buffer.from(`merchant:m${merchant}:progress`))
  server = (await buildApp(loadConfig(settings), { log: pino({ level: 'silent' }), broker })).server
}

/** Has it take as many messages as it can in so much time; what that took of the processor, the collection of garbage included. */
async function receive ({ seconds }: { readonly seconds: number }) {
  const receiver = broker.receiver!
  const startedAt = micros()
  const cpu = process.cpuUsage()
  const from = next
  while (micros() - startedAt < seconds * 1e6) {
    for (const end = next + PER_TURN; next < end; next++) {
      // As from a socket, text and bytes are new each time.
      receiver.receive(channels[next % channels.length]!.toString(), Buffer.from(payloads[next % PAYLOADS]!))
    }
    await turn()
  }
  return { messages: next - from, seconds: (micros() - startedAt) / 1e6, cpu: process.cpuUsage(cpu) }
}

/** What its metrics say. */
async function exposition () {
  const { body } = await server!.inject('/metrics')
  return [...parse(body)]
}

const handlers = { start, receive, exposition }
export type MessageLoop = typeof handlers

serve(handlers)
