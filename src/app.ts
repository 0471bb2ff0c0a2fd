import cors from '@fastify/cors'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyServerOptions } from 'fastify'
import type { Logger } from 'pino'
import { jwtStrategy } from './auth/jwt.js'
import { Keys } from './auth/keys.js'
import { openStrategy } from './auth/open.js'
import { Operators } from './auth/operators.js'
import { Origins } from './auth/origins.js'
import { shopifyStrategy } from './auth/shopify.js'
import type { Strategy } from './auth/strategy.js'
import { Tickets, byTicketOr } from './auth/ticket.js'
import type { Broker } from './broker/broker.js'
import { MemoryBroker } from './broker/memory.js'
import { RedisBroker } from './broker/redis.js'
import type { Config } from './config.js'
import { Feed } from './dashboard/feed.js'
import { thisInstance } from './dashboard/instance.js'
import type { SimulatedOrders } from './demo/orders.js'
import { BadPath, Draining, ForeignOrigin } from './errors.js'
import { Clock } from './fanout/clock.js'
import { Hub } from './fanout/hub.js'
import { Throttle } from './log.js'
import { prometheusMetrics, type Metrics } from './metrics.js'
import { readPageFile } from './pages/page-file.js'
import { DASHBOARD_PATH, dashboardRoute } from './routes/dashboard.js'
import { demoRoute } from './routes/demo.js'
import { eventsRoute } from './routes/events.js'
import { answerBadHttp, failures } from './routes/failures.js'
import { healthRoutes } from './routes/health.js'
import { metricsRoute } from './routes/metrics.js'
import { cutOffFlood, pipelining } from './routes/pipelining.js'
import { publishRoute } from './routes/publish.js'
import { quotas } from './routes/quota.js'
import { ticketRoute } from './routes/ticket.js'

/** What a test may put in the place of the real thing. */
export interface Deps {
  readonly log: Logger
  readonly metrics?: Metrics
  readonly broker?: Broker
  readonly strategy?: Strategy
}

export interface App {
  /** Serves clients and publishers; closing it ends the streams, the operators' server and the broker. */
  readonly server: FastifyInstance
  /** Serves health and metrics, where OPS_PORT takes them off the public port. */
  readonly ops: FastifyInstance | undefined
  /** Has a close, to come or under way, end all streams together; and one that is under way, wait for no request. */
  readonly hurry: () => void
}

/** A client that takes longer to send the head of a request, or all of it, is cut off, in milliseconds; so is one that sends nothing. */
const HEAD_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
/** How late it may be noticed; Node.js looks every 30 s by default. */
const TIMEOUT_CHECK_MS = 1_000
const MAX_HEAD_BYTES = 16_384
/** Requests that are still under way so long after the streams have ended are cut off, in milliseconds. */
const CLOSE_GRACE_MS = 3_000

/** Puts the rooms together. The broker is started; nothing listens yet. */
export async function buildApp (config: Config, { log, metrics = prometheusMetrics(), broker = createBroker(config, metrics, log), strategy: given }: Deps): Promise<App> {
  const development = config.NODE_ENV === 'development'
  const hub = new Hub({
    channelPrefix: config.CHANNEL_PREFIX,
    maxMessageBytes: config.MAX_MESSAGE_BYTES,
    maxBufferedBytes: config.MAX_BUFFERED_BYTES,
    maxConnections: config.MAX_CONNECTIONS,
    maxConnectionsPerMerchant: config.MAX_CONNECTIONS_PER_MERCHANT,
    heartbeatMs: config.HEARTBEAT_MS,
    maxAgeMs: config.MAX_CONNECTION_AGE_S * 1_000,
    retryMs: config.RETRY_MS,
    history: {
      ttlMs: config.HISTORY_TTL_S * 1_000,
      maxBytes: config.HISTORY_MAX_BYTES,
      eventsPerMerchant: config.HISTORY_EVENTS_PER_MERCHANT,
    },
    clock: new Clock(),
    provenAt: () => broker.provenAt,
    metrics,
    log,
  })
  const hurry = new AbortController()
  const closing = new AbortController()
  const server = await createServer(config, log)
  const ops = config.OPS_PORT === undefined ? undefined : await createServer(config, log)
  const strategy = given ?? createStrategy(config, log, closing.signal)
  const tickets = new Tickets({ store: broker, ttlMs: config.TICKET_TTL_S * 1_000, outlived: strategy.outlived })
  const origins = new Origins(config.CORS_ORIGINS, development)
  const refuseWhileDraining = async () => { if (hub.draining) throw new Draining() }

  await server.register(cors, { origin: (origin, answer) => { answer(null, origin !== undefined && origins.grants(origin)) }, credentials: true, exposedHeaders: ['Retry-After'], maxAge: 600 })
  await server.register(async (api) => {
    api.addHook('onRequest', async ({ headers: { origin }, host }) => {
      if (origin !== undefined && !origins.admits(origin, host)) throw new ForeignOrigin()
    })
    await api.register(quotas)
    const attemptsPerMinute = config.CONNECT_RATE_PER_MINUTE
    await api.register(eventsRoute, { hub, strategy: byTicketOr(strategy, tickets), metrics, attemptsPerMinute })
    await api.register(async (unstreamed) => {
      unstreamed.addHook('onRequest', refuseWhileDraining) // Fastify itself adds `Connection: close`.
      await unstreamed.register(ticketRoute, { strategy, tickets, attemptsPerMinute })
      await unstreamed.register(publishRoute, {
        broker,
        keys: new Keys(config.PUBLISH_KEY),
        openWithoutKeys: development,
        channelPrefix: config.CHANNEL_PREFIX,
        maxMessageBytes: config.MAX_MESSAGE_BYTES,
        requestsPerSecond: config.PUBLISH_RATE_PER_SECOND,
        metrics,
      })
    })
  }, { prefix: '/api/realtime' })

  if (development) {
    const orders = await createOrders(config, broker, log)
    await server.register(async (demo) => {
      demo.addHook('onRequest', refuseWhileDraining)
      await demo.register(demoRoute, {
        instance: {
          broker: broker.name,
          channelPrefix: config.CHANNEL_PREFIX,
          heartbeatMs: config.HEARTBEAT_MS,
          needsToken: config.AUTH_MODE !== 'none',
          needsKey: config.PUBLISH_KEY.length > 0,
        },
        readFile: async (name, type) => readPageFile('demo', name, type),
        startOrders: (wanted) => orders.start(wanted),
      })
    })
    // Before the streams end, so that whoever watches an order is told that it is over.
    server.addHook('preClose', async () => { await orders.close() })
  }

  await (ops ?? server).register(async (forOperators) => {
    await forOperators.register(healthRoutes, { hub, broker, warmupMs: config.READY_WARMUP_MS, redisOutageGraceMs: config.REDIS_OUTAGE_GRACE_S * 1_000, metrics })
    await forOperators.register(metricsRoute, { metrics })
  })

  const feed = config.DASHBOARD ? new Feed({ instance: thisInstance(broker.name), snapshot: async () => metrics.snapshot(), hub, broker }) : undefined
  if (feed !== undefined) {
    feed.start()
    await (ops ?? server).register(dashboardRoute, {
      feed,
      operators: new Operators(config.OPS_KEY, DASHBOARD_PATH),
      readFile: async (name, type) => readPageFile('dashboard', name, type),
    })
  }

  // In onClose it would be too late: Fastify waits for open streams before it gets there.
  server.addHook('preClose', async () => {
    const hurried = hurry.signal.aborted
    await hub.drain({ delayMs: config.DRAIN_DELAY_MS, windowMs: config.DRAIN_WINDOW_MS, hurry: hurry.signal })
    closing.abort()
    feed?.end() // Last, so that operators see the drain.
    const cutOff = () => { server.server.closeAllConnections() }
    // Who asks for hurry while it is closing does not want to wait for requests, either.
    if (hurry.signal.aborted && !hurried) return cutOff()
    setTimeout(cutOff, CLOSE_GRACE_MS).unref()
    hurry.signal.addEventListener('abort', cutOff)
  })
  server.addHook('onClose', async () => {
    await broker.close()
    await ops?.close()
  })
  ops?.addHook('preClose', async () => { ops.server.closeAllConnections() })

  log.info({ broker: broker.name }, 'starting')
  broker.start(hub)
  return { server, ops, hurry: () => { hurry.abort() } }
}

/** @param signal ends what it does in the background. */
function createStrategy (config: Config, log: Logger, signal: AbortSignal): Strategy {
  const cookie = config.AUTH_COOKIE
  if (config.AUTH_MODE === 'none') {
    const { JWT_SECRET, JWT_JWKS_URL, SHOPIFY_API_SECRET } = config
    if ((JWT_SECRET ?? JWT_JWKS_URL ?? SHOPIFY_API_SECRET) !== undefined) log.warn('AUTH_MODE is none: what is set to check credentials by is not used, and everybody may listen')
    return openStrategy
  }
  // config.ts has seen to it that each mode has what it needs.
  if (config.AUTH_MODE === 'shopify') return shopifyStrategy({ apiKey: config.SHOPIFY_API_KEY!, apiSecret: config.SHOPIFY_API_SECRET!, cookie })
  return jwtStrategy({
    secret: config.JWT_SECRET,
    jwksUrl: config.JWT_JWKS_URL,
    issuer: config.JWT_ISSUER,
    audience: config.JWT_AUDIENCE,
    merchantClaim: config.JWT_MERCHANT_CLAIM,
    cookie,
    log,
    signal,
  })
}

/** Orders that go the way of a backend service's, but for the Redis client: the broker is one, to the publisher library. */
async function createOrders ({ CHANNEL_PREFIX, MAX_MESSAGE_BYTES }: Config, broker: Broker, log: Logger): Promise<SimulatedOrders> {
  const { SimulatedOrders } = await import('./demo/orders.js') // It brings the publisher library along, for development only.
  const unpublished = new Throttle(1_000)
  return new SimulatedOrders({
    publish: async (channel, payload) => broker.publish([{ channel, payload }]),
    channelPrefix: CHANNEL_PREFIX,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    onError: (err) => {
      const heldBack = unpublished.pass()
      if (heldBack !== undefined) log.warn({ err, heldBack }, 'an event of a simulated order was not published')
    },
  })
}

function createBroker (config: Config, metrics: Metrics, log: Logger): Broker {
  if (config.REDIS_URL === undefined) return new MemoryBroker()
  return new RedisBroker({ url: config.REDIS_URL, channelPrefix: config.CHANNEL_PREFIX, metrics, log })
}

async function createServer ({ TRUST_PROXY }: Config, log: FastifyBaseLogger): Promise<FastifyInstance> {
  const server = Fastify({
    loggerInstance: log,
    // Scrapes, probes and reconnects would be most of the log; streams have lines of their own.
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: trusted(TRUST_PROXY),
    http: { headersTimeout: HEAD_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS, maxHeaderSize: MAX_HEAD_BYTES },
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Fastify gives hooks no longer than plugins, and preClose is where streams drain.
    pluginTimeout: 0,
    // While closing, streams are refused in a way that EventSource survives, not by Fastify's 503.
    return503OnClosing: false,
    // A merchant id that is too long is a bad one, however long; the head of a request is bounded anyway.
    routerOptions: { maxParamLength: 16_384 },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    // A path that cannot be decoded. Fastify's message repeats it, with the query, where credentials travel.
    frameworkErrors: (_error, _request, reply) => { if (!cutOffFlood(reply)) void (reply as FastifyReply).send(new BadPath()) },
    clientErrorHandler: answerBadHttp,
  })
  // As many as the head has room for. Node.js drops those beyond the thousandth and says nothing, a second Authorization among them.
  server.server.maxHeadersCount = 0
  server.removeContentTypeParser('text/plain')
  await server.register(failures)
  await server.register(pipelining)
  return server
}

/**
 * Whose word for a client's address is taken. Fastify itself takes no number of proxies any more, because whoever reaches
 * the port past them can forge an address; whether anybody can is the operator's to know, who gives the number.
 */
function trusted (proxies: Config['TRUST_PROXY']): NonNullable<FastifyServerOptions['trustProxy']> {
  if (typeof proxies === 'number') return (_address, hop) => hop < proxies
  return proxies.length > 0 && [...proxies]
}
