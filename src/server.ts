import closeWithGrace from 'close-with-grace'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.js'
import { ConfigError, loadConfig, type Config } from './config.js'
import { createLog } from './log.js'

/** After a signal, the process ends within this, whatever hangs; in milliseconds. */
const CLOSE_DEADLINE_MS = 10_000

/** A signal that comes again within this is the same one, in milliseconds: under `npm start`, Ctrl-C comes from the terminal and from npm. */
const SAME_SIGNAL_MS = 1_000
const SIGNALS = ['SIGTERM', 'SIGINT'] as const

let endingSince: number | undefined
const config = readConfig()
const log = createLog(config.LOG_LEVEL)
const { server, ops } = await buildApp(config, { log })

const grace = closeWithGrace({ delay: CLOSE_DEADLINE_MS, logger: log, skip: [...SIGNALS] }, async ({ err }) => {
  /* c8 ignore next -- @preserve No error that nobody catches is known, so no test can raise one. */
  if (err !== undefined) log.fatal({ err }, 'ending for an error that nobody caught')
  await server.close()
})
for (const signal of SIGNALS) process.on(signal, endOn)

await listen(server, config.PORT)
if (ops !== undefined && config.OPS_PORT !== undefined) await listen(ops, config.OPS_PORT)
if (config.REDIS_URL === undefined) introduce(config, portOf(server))

/** The first signal ends the process in order, another one at once. */
function endOn (signal: NodeJS.Signals): void {
  if (endingSince === undefined) {
    endingSince = performance.now()
    log.info({ signal }, 'ending')
    grace.close()
  } else if (performance.now() - endingSince > SAME_SIGNAL_MS) {
    log.warn({ signal }, 'ending at once')
    process.exit(1)
  }
}

function readConfig (): Config {
  try {
    return loadConfig()
  } catch (error) {
    /* c8 ignore next -- @preserve A fault of config.ts itself. */
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`realtime-fanout: ${error.message}\n`)
    process.exit(1)
  }
}

async function listen (app: FastifyInstance, port: number): Promise<void> {
  try {
    await app.listen({ host: config.HOST, port, listenTextResolver: (address) => `listening at ${address}` })
  } catch (error) {
    process.stderr.write(`realtime-fanout: cannot listen on ${config.HOST}:${port}: ${(error as Error).message}\n`)
    process.exit(1)
  }
}

function portOf (app: FastifyInstance): number {
  return (app.server.address() as AddressInfo).port
}

/** The first thing that somebody sees who tries the service out. */
function introduce ({ PUBLISH_KEY }: Config, port: number): void {
  const url = `http://localhost:${port}/api/realtime`
  const key = PUBLISH_KEY.length === 0 ? '' : "-H 'Authorization: Bearer <PUBLISH_KEY>' "
  process.stdout.write(`
realtime-fanout listens at http://localhost:${port}
It runs without Redis, on a broker inside this process: what is published here stays here. Set REDIS_URL to change that.

Listen:   curl -N '${url}/events?merchantId=TEST'
Publish:  curl ${url}/merchants/TEST/events ${key}-H 'Content-Type: application/json' -d '{"type":"progress","poId":"1","progress":50,"message":"half way"}'

`)
}
