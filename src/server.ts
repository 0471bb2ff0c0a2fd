import closeWithGrace from 'close-with-grace'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.js'
import { ConfigError, loadConfig, type Config } from './config.js'
import { createLog } from './log.js'

/** Beyond its drain, the process takes so long at most to end, whatever hangs; in milliseconds. */
const CLOSE_DEADLINE_MS = 10_000
/** A Ctrl-C that comes again within this is the same one, in milliseconds: under `npm start`, it comes from the terminal and from npm. */
const SAME_CTRL_C_MS = 1_000
/** Connections that wait to be accepted: a crowd that reconnects at once is many. The kernel has a bound of its own (net.core.somaxconn). */
const BACKLOG = 65_535
const SIGNALS = ['SIGTERM', 'SIGINT'] as const

let ending: { readonly since: number, hurried: boolean } | undefined
const config = readConfig()
const log = createLog(config.LOG_LEVEL)
const { server, ops, hurry } = await buildApp(config, { log })

const grace = closeWithGrace({ delay: config.DRAIN_DELAY_MS + config.DRAIN_WINDOW_MS + CLOSE_DEADLINE_MS, logger: log, skip: [...SIGNALS] }, async ({ err }) => {
  /* c8 ignore start -- @preserve No error that nobody catches is known, so no test can raise one. */
  if (err !== undefined) {
    log.fatal({ err }, 'ending for an error that nobody caught')
    hurry()
  }
  /* c8 ignore stop -- @preserve */
  await server.close()
})
for (const signal of SIGNALS) process.on(signal, endOn)

await listen(server, config.PORT)
if (ops !== undefined && config.OPS_PORT !== undefined) await listen(ops, config.OPS_PORT)
if (config.REDIS_URL === undefined) introduce(config, portOf(server), portOf(ops ?? server))

/**
 * SIGTERM drains and ends. Ctrl-C, or a second signal, ends without taking time over it; one more, at once and without
 * order.
 */
function endOn (signal: NodeJS.Signals): void {
  if (signal === 'SIGINT' && ending !== undefined && performance.now() - ending.since < SAME_CTRL_C_MS) return
  if (ending === undefined) {
    ending = { since: performance.now(), hurried: signal === 'SIGINT' }
    log.info({ signal }, 'ending')
    if (ending.hurried) hurry()
    grace.close()
  } else if (!ending.hurried) {
    ending.hurried = true
    log.warn({ signal }, 'ending without delay')
    hurry()
  } else {
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
    await app.listen({ host: config.HOST, port, backlog: BACKLOG, listenTextResolver: (address) => `listening at ${address}` })
  } catch (error) {
    process.stderr.write(`realtime-fanout: cannot listen on ${config.HOST}:${port}: ${(error as Error).message}\n`)
    process.exit(1)
  }
}

function portOf (app: FastifyInstance): number {
  return (app.server.address() as AddressInfo).port
}

/** The first thing that somebody sees who tries the service out. */
function introduce ({ NODE_ENV, AUTH_MODE, PUBLISH_KEY, DASHBOARD }: Config, port: number, opsPort: number): void {
  const page = NODE_ENV === 'development' ? `Look:     http://localhost:${port}/\n` : ''
  const dashboard = DASHBOARD ? `Watch:    http://localhost:${opsPort}/dashboard\n` : ''
  const url = `http://localhost:${port}/api/realtime`
  const listen = AUTH_MODE === 'none' ? `'${url}/events?merchantId=TEST'` : `-H 'Authorization: Bearer <token>' ${url}/events`
  const key = PUBLISH_KEY.length === 0 ? '' : "-H 'Authorization: Bearer <PUBLISH_KEY>' "
  process.stdout.write(`
realtime-fanout listens at http://localhost:${port}
It runs without Redis, on a broker inside this process: what is published here stays here. Set REDIS_URL to change that.

${page}${dashboard}Listen:   curl -N ${listen}
Publish:  curl ${url}/merchants/TEST/events ${key}-H 'Content-Type: application/json' -d '{"type":"progress","poId":"1","progress":50,"message":"half way"}'

`)
}
