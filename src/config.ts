import { Type, type Static } from '@sinclair/typebox'
import envSchema from 'env-schema'
import { isIP } from 'node:net'

/** Whole numbers within bounds; `takes` is what the message of a refused value says. */
const whole = (minimum: number, maximum: number, byDefault: number, takes: string) =>
  Type.Integer({ minimum, maximum, default: byDefault, description: takes })

const oneOf = <T extends string>(values: readonly [T, ...T[]], byDefault?: T) =>
  Type.Unsafe<T>({ type: 'string', enum: values, ...(byDefault !== undefined && { default: byDefault }), description: `one of ${values.join(', ')}` })

const keys = () =>
  Type.String({ pattern: '^[^\\s,]{32,}(,[^\\s,]{32,})*$', description: 'keys of at least 32 characters without white space, separated by commas' })

/**
 * Every variable the service knows. `description` says what a variable takes and is shown when a value is refused.
 * `.env.example`, the README and the chart's values list the same names; a test compares them.
 */
export const Environment = Type.Object({
  NODE_ENV: oneOf(['development', 'test', 'production'], 'development'),
  HOST: Type.String({ default: '0.0.0.0', pattern: '^[0-9A-Za-z.:_-]+$', description: 'an address or host name to listen on' }),
  PORT: whole(0, 65535, 3001, 'a port, 0–65535 (0: any free one)'),
  OPS_PORT: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, description: 'a port, 0–65535 (0: any free one)' })),
  LOG_LEVEL: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info'),
  REDIS_URL: Type.Optional(Type.String({ pattern: '^rediss?://[^\\s]+$', description: 'redis://[user:password@]host:port[/db] (rediss:// for TLS)' })),
  CHANNEL_PREFIX: Type.String({ default: 'merchant', pattern: '^[A-Za-z0-9._-]{1,64}$', description: '1–64 of A–Z a–z 0–9 . _ -' }),
  AUTH_MODE: oneOf(['none', 'jwt', 'shopify'], 'none'),
  AUTH_COOKIE: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$", description: 'the name of a cookie' })),
  JWT_SECRET: Type.Optional(Type.String({ description: 'a secret of at least 32 bytes' })),
  JWT_JWKS_URL: Type.Optional(Type.String({ pattern: '^https?://[^\\s@]+$', description: 'where a key set (RFC 7517) is: https://…, in development http:// too' })),
  JWT_ISSUER: Type.Optional(Type.String({ description: 'what tokens have as `iss`' })),
  JWT_AUDIENCE: Type.Optional(Type.String({ description: 'what tokens have as `aud`, or among it' })),
  JWT_MERCHANT_CLAIM: Type.String({ default: 'merchantId', description: 'the name of a claim' }),
  SHOPIFY_API_KEY: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{1,128}$', description: "an app's client id" })),
  SHOPIFY_API_SECRET: Type.Optional(Type.String({ pattern: '^\\S{16,256}$', description: "an app's client secret" })),
  TICKET_TTL_S: whole(1, 3_600, 30, 'seconds, 1–3600'),
  PUBLISH_KEY: Type.Optional(keys()),
  PUBLISH_RATE_PER_SECOND: whole(0, 1_000_000, 1_000, 'requests, 0–1000000 (0: any number)'),
  DASHBOARD: Type.Optional(oneOf(['on', 'off'])),
  OPS_KEY: Type.Optional(keys()),
  CONNECT_RATE_PER_MINUTE: whole(0, 1_000_000, 0, 'attempts, 0–1000000 (0: any number)'),
  TRUST_PROXY: Type.Optional(Type.String({ description: 'how many proxies there are (1–9), or their addresses and networks, separated by commas' })),
  CORS_ORIGINS: Type.Optional(Type.String({ pattern: '^https?://[^\\s,/]+(,https?://[^\\s,/]+)*$', description: 'origins separated by commas, such as https://app.example.com (no path, no trailing slash)' })),
  HEARTBEAT_MS: whole(100, 3_600_000, 15_000, 'milliseconds, 100–3600000'),
  RETRY_MS: whole(1, 3_600_000, 3_000, 'milliseconds, 1–3600000'),
  MAX_CONNECTIONS: whole(1, 10_000_000, 10_000, 'a count, 1–10000000'),
  MAX_CONNECTIONS_PER_MERCHANT: whole(1, 10_000_000, 100, 'a count, 1–10000000'),
  MAX_CONNECTION_AGE_S: whole(1, 604_800, 1_800, 'seconds, 1–604800'),
  MAX_MESSAGE_BYTES: whole(64, 16_777_216, 65_536, 'bytes, 64–16777216'),
  MAX_BUFFERED_BYTES: whole(1_024, 1_073_741_824, 1_048_576, 'bytes, 1024–1073741824'),
  HISTORY_EVENTS_PER_MERCHANT: whole(0, 10_000, 100, 'a count, 0–10000 (0: no history)'),
  HISTORY_TTL_S: whole(1, 86_400, 300, 'seconds, 1–86400'),
  HISTORY_MAX_BYTES: whole(65_536, 1_073_741_824, 67_108_864, 'bytes, 65536–1073741824'),
  READY_WARMUP_MS: Type.Optional(Type.Integer({ minimum: 0, maximum: 3_600_000, description: 'milliseconds, 0–3600000' })),
  DRAIN_DELAY_MS: whole(0, 600_000, 5_000, 'milliseconds, 0–600000'),
  DRAIN_WINDOW_MS: whole(0, 3_600_000, 20_000, 'milliseconds, 0–3600000'),
  REDIS_OUTAGE_GRACE_S: whole(0, 86_400, 60, 'seconds, 0–86400'),
}, { additionalProperties: false })

type Raw = Static<typeof Environment>

/** The environment, checked: names as in the environment, lists split. Immutable. */
export interface Config extends Readonly<Omit<Raw, 'CORS_ORIGINS' | 'PUBLISH_KEY' | 'DASHBOARD' | 'OPS_KEY' | 'TRUST_PROXY' | 'READY_WARMUP_MS'>> {
  /** Origins that may use the API from a browser, as browsers spell them; none given is an empty list. */
  readonly CORS_ORIGINS: readonly string[]
  /** Keys that may publish over HTTP; more than one while a key is being rotated. */
  readonly PUBLISH_KEY: readonly string[]
  /** Whether the live page is there. */
  readonly DASHBOARD: boolean
  /** Keys that open the live page; none given is an empty list, and it is open. */
  readonly OPS_KEY: readonly string[]
  /** How many proxies a request has come through, or which addresses are proxies; none given is an empty list. */
  readonly TRUST_PROXY: number | readonly string[]
  /** How long the first subscription must have stood before clients are sent here, in milliseconds. */
  readonly READY_WARMUP_MS: number
}

/** A value that the service cannot start with. Its message is one line: the variable, what it got, what it takes. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

const SECRETS: ReadonlySet<string> = new Set(['REDIS_URL', 'PUBLISH_KEY', 'OPS_KEY', 'JWT_SECRET', 'SHOPIFY_API_SECRET'])

/**
 * Reads and checks the environment. An empty variable counts as absent.
 * @throws {ConfigError} for a bad value, or a combination that must not run in production.
 */
export function loadConfig (env: NodeJS.ProcessEnv = processEnvironment()): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([name, value]) => Object.hasOwn(Environment.properties, name) && value !== ''))
  const raw = check(given)
  checkEach(raw)
  checkAuth(raw)
  if (raw.NODE_ENV === 'production') checkProduction(raw)
  const { CORS_ORIGINS, PUBLISH_KEY, DASHBOARD, OPS_KEY, TRUST_PROXY, ...rest } = raw
  return Object.freeze({
    ...rest,
    CORS_ORIGINS: list(CORS_ORIGINS),
    PUBLISH_KEY: list(PUBLISH_KEY),
    DASHBOARD: (DASHBOARD ?? (raw.NODE_ENV === 'production' ? 'off' : 'on')) === 'on',
    OPS_KEY: list(OPS_KEY),
    TRUST_PROXY: isHops(TRUST_PROXY) ? Number(TRUST_PROXY) : list(TRUST_PROXY),
    READY_WARMUP_MS: raw.READY_WARMUP_MS ?? warmupOf(raw),
  })
}

/** What no pattern can tell. */
function checkEach (raw: Raw): void {
  const { REDIS_URL, OPS_PORT, PORT, JWT_SECRET, JWT_JWKS_URL, TRUST_PROXY } = raw
  const { properties } = Environment
  if (REDIS_URL !== undefined && !isRedisUrl(REDIS_URL)) throw refused('REDIS_URL', REDIS_URL, properties.REDIS_URL.description!)
  if (OPS_PORT !== 0 && OPS_PORT === PORT) throw refused('OPS_PORT', OPS_PORT, 'another port than PORT')
  if (JWT_SECRET !== undefined && Buffer.byteLength(JWT_SECRET) < 32) throw refused('JWT_SECRET', JWT_SECRET, properties.JWT_SECRET.description!)
  if (JWT_JWKS_URL !== undefined && !URL.canParse(JWT_JWKS_URL)) throw refused('JWT_JWKS_URL', JWT_JWKS_URL, properties.JWT_JWKS_URL.description!)
  if (TRUST_PROXY !== undefined && !isHops(TRUST_PROXY) && !list(TRUST_PROXY).every(isNetwork)) throw refused('TRUST_PROXY', TRUST_PROXY, properties.TRUST_PROXY.description!)
}

/** Whether each mode has what it needs. */
function checkAuth ({ AUTH_MODE, JWT_SECRET, JWT_JWKS_URL, SHOPIFY_API_KEY, SHOPIFY_API_SECRET }: Raw): void {
  if (AUTH_MODE === 'jwt') {
    if (JWT_SECRET === undefined && JWT_JWKS_URL === undefined) throw refused('JWT_SECRET', undefined, 'with AUTH_MODE=jwt a secret of at least 32 bytes, where there is no JWT_JWKS_URL')
    if (JWT_SECRET !== undefined && JWT_JWKS_URL !== undefined) throw refused('JWT_JWKS_URL', JWT_JWKS_URL, 'nothing beside a JWT_SECRET: tokens are checked by one or the other')
  }
  if (AUTH_MODE === 'shopify') {
    if (SHOPIFY_API_KEY === undefined) throw refused('SHOPIFY_API_KEY', undefined, "with AUTH_MODE=shopify the app's client id")
    if (SHOPIFY_API_SECRET === undefined) throw refused('SHOPIFY_API_SECRET', undefined, "with AUTH_MODE=shopify the app's client secret")
  }
}

function checkProduction ({ REDIS_URL, AUTH_MODE, JWT_JWKS_URL, DASHBOARD, OPS_KEY, OPS_PORT }: Raw): void {
  if (REDIS_URL === undefined) throw refused('REDIS_URL', undefined, 'in production the address of a Redis: the embedded broker reaches one process only')
  if (AUTH_MODE === 'none') throw refused('AUTH_MODE', AUTH_MODE, 'in production an authenticating mode: with none, anyone could listen to any merchant')
  if (JWT_JWKS_URL?.startsWith('http:') === true) throw refused('JWT_JWKS_URL', JWT_JWKS_URL, 'in production https://…: whoever can change the keys on their way can listen to any merchant')
  if (DASHBOARD === 'on' && OPS_KEY === undefined && OPS_PORT === undefined) throw refused('DASHBOARD', DASHBOARD, 'in production an OPS_KEY or an OPS_PORT beside it: else anyone who reaches the public port could look')
}

/** `process.env`, with what a `.env` in the working directory adds to it; what is already set wins. */
function processEnvironment (): NodeJS.ProcessEnv {
  try {
    process.loadEnvFile()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw new ConfigError(`.env cannot be read: ${(error as Error).message}`)
  }
  return process.env
}

function check (given: Record<string, unknown>): Raw {
  // A copy, because env-schema coerces and fills in defaults in place.
  const data = { ...given }
  try {
    return envSchema<Raw>({ schema: Environment, data, env: false })
  } catch (error) {
    const [first] = (error as { errors: [{ instancePath: string }] }).errors
    const name = first.instancePath.slice(1) as keyof Raw
    throw refused(name, given[name], Environment.properties[name].description!)
  }
}

/** What a pattern cannot tell, and what ioredis would take amiss, or take for options that overrule the service's own. */
function isRedisUrl (value: string): boolean {
  try {
    const { hostname, username, password, pathname, search, hash } = new URL(value)
    decodeURIComponent(username)
    decodeURIComponent(password)
    return hostname !== '' && /^(\/\d*)?$/.test(pathname) && search === '' && hash === ''
  } catch {
    return false // The errors of URL quote it, with its password.
  }
}

/**
 * So long that an idle client's cursor is covered: it is as old as a heartbeat and the probe before that (TICK_MS of
 * broker/redis.ts), and may be SKEW_MS (fanout/cursor.ts) older than it seems. In development nobody waits for it.
 */
const warmupOf = ({ NODE_ENV, HEARTBEAT_MS }: Raw): number => NODE_ENV === 'production' ? HEARTBEAT_MS + 7_000 : 0

const isHops = (value: string | undefined): boolean => /^[1-9]$/.test(value ?? '')

/** An address, or a network as `10.0.0.0/8`. */
function isNetwork (value: string): boolean {
  const [, address, bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(value) ?? []
  const version = isIP(address ?? '')
  return version !== 0 && (bits === undefined || (Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128)))
}

function refused (name: keyof Raw, got: unknown, takes: string): ConfigError {
  const shown = got === undefined ? 'nothing' : SECRETS.has(name) ? 'a value that is not shown, being secret' : withoutSecrets(JSON.stringify(got))
  return new ConfigError(`${name} got ${shown}; it takes ${takes}`)
}

/** What looks like the user and the query of a URL, where passwords and keys travel, is left out. */
function withoutSecrets (text: string): string {
  return text.replace(/\/\/.*@/, '//…@').replace(/\?.*(?=")/, '?…')
}

const list = (value: string | undefined): readonly string[] => value === undefined ? [] : value.split(',')
