import { readFile } from 'node:fs/promises'
import t from 'tap'
import { Environment, loadConfig } from '../src/config.js'
import { Service } from './helpers/service.js'
import { valuesOf } from './helpers/values-table.js'

const KEY = 'k'.repeat(32)

t.test('defaults are those of the documentation', async (t) => {
  t.strictSame(loadConfig({}), {
    NODE_ENV: 'development',
    HOST: '0.0.0.0',
    PORT: 3001,
    LOG_LEVEL: 'info',
    CHANNEL_PREFIX: 'merchant',
    AUTH_MODE: 'none',
    JWT_MERCHANT_CLAIM: 'merchantId',
    TICKET_TTL_S: 30,
    PUBLISH_KEY: [],
    PUBLISH_RATE_PER_SECOND: 1_000,
    DASHBOARD: true,
    OPS_KEY: [],
    CONNECT_RATE_PER_MINUTE: 0,
    TRUST_PROXY: [],
    CORS_ORIGINS: [],
    HEARTBEAT_MS: 15_000,
    RETRY_MS: 3_000,
    MAX_CONNECTIONS: 10_000,
    MAX_CONNECTIONS_PER_MERCHANT: 100,
    MAX_CONNECTION_AGE_S: 1_800,
    MAX_MESSAGE_BYTES: 65_536,
    MAX_BUFFERED_BYTES: 1_048_576,
    HISTORY_EVENTS_PER_MERCHANT: 100,
    HISTORY_TTL_S: 300,
    HISTORY_MAX_BYTES: 67_108_864,
    READY_WARMUP_MS: 0,
    DRAIN_DELAY_MS: 5_000,
    DRAIN_WINDOW_MS: 20_000,
    REDIS_OUTAGE_GRACE_S: 60,
  })
})

t.test('good values', async (t) => {
  t.match(loadConfig({
    PORT: '8080',
    OPS_PORT: '9090',
    REDIS_URL: 'rediss://user:pass@redis.example:6380/2',
    PUBLISH_KEY: `${KEY},${KEY}2`,
    DASHBOARD: 'off',
    OPS_KEY: `${KEY},${KEY}3`,
    CORS_ORIGINS: 'https://app.example.com,http://localhost:5173',
    SOMETHING_ELSE: 'is not ours',
  }), {
    PORT: 8080,
    OPS_PORT: 9090,
    REDIS_URL: 'rediss://user:pass@redis.example:6380/2',
    PUBLISH_KEY: [KEY, `${KEY}2`],
    DASHBOARD: false,
    OPS_KEY: [KEY, `${KEY}3`],
    CORS_ORIGINS: ['https://app.example.com', 'http://localhost:5173'],
  })
  t.throws(() => loadConfig({ PORT: '8080', OPS_PORT: '8080' }), { message: 'OPS_PORT got 8080; it takes another port than PORT' })
  t.equal(loadConfig({ PORT: '', REDIS_URL: '' }).PORT, 3001, 'an empty variable is an absent one')
  t.notOk('SOMETHING_ELSE' in loadConfig({ SOMETHING_ELSE: 'x' }))
})

t.test('bad values are refused by one line that names the variable, what it got and what it takes', async (t) => {
  const bad: Array<[name: string, value: string]> = [
    ['PORT', 'http'], ['PORT', '65536'], ['PORT', '-1'], ['PORT', '1.5'], ['OPS_PORT', 'x'], ['HOST', 'a b'], ['LOG_LEVEL', 'loud'], ['NODE_ENV', 'prod'],
    ['CHANNEL_PREFIX', 'a:b'], ['CHANNEL_PREFIX', 'm*'], ['AUTH_MODE', 'open'], ['CORS_ORIGINS', '*'], ['CORS_ORIGINS', 'https://a.example/'], ['CORS_ORIGINS', 'a.example'],
    ['HEARTBEAT_MS', '15s'], ['HEARTBEAT_MS', '0'], ['RETRY_MS', '0'], ['MAX_CONNECTIONS', '0'], ['MAX_CONNECTIONS_PER_MERCHANT', 'many'], ['MAX_MESSAGE_BYTES', '64K'],
    ['MAX_BUFFERED_BYTES', '1'], ['MAX_CONNECTION_AGE_S', '0'], ['HISTORY_EVENTS_PER_MERCHANT', '-1'], ['HISTORY_TTL_S', '0'], ['HISTORY_MAX_BYTES', '64M'], ['READY_WARMUP_MS', 'soon'], ['DRAIN_DELAY_MS', '-1'], ['DRAIN_WINDOW_MS', 'x'], ['TICKET_TTL_S', '0'], ['AUTH_COOKIE', 'a b'],
    ['JWT_JWKS_URL', 'issuer'], ['JWT_JWKS_URL', 'https://['], ['SHOPIFY_API_KEY', 'a b'], ['PUBLISH_RATE_PER_SECOND', '-1'], ['DASHBOARD', 'yes'], ['CONNECT_RATE_PER_MINUTE', 'x'],
    ['TRUST_PROXY', 'true'], ['TRUST_PROXY', '0'], ['TRUST_PROXY', '10.0.0.0/33'], ['TRUST_PROXY', '0.0.0.0/0'], ['TRUST_PROXY', '::1/129'], ['TRUST_PROXY', '10.0.0.1,'], ['TRUST_PROXY', 'proxy'], ['REDIS_OUTAGE_GRACE_S', '-1'],
  ]
  for (const [name, value] of bad) {
    t.throws(() => loadConfig({ [name]: value }), { name: 'ConfigError', message: RegExp(`^${name} got ${JSON.stringify(value).replace(/[*.[]/g, '\\$&')}; it takes [^\\n]+$`) }, `${name}=${value}`)
  }
  t.throws(() => loadConfig({ JWT_JWKS_URL: 'https://user:hidden@issuer/keys?key=hidden' }), { message: /^JWT_JWKS_URL got "https:\/\/…@issuer\/keys\?…"; it takes [^\n]+$/ })
  const badUrls = [
    'http://hidden', 'hidden:6379', 'redis://', 'redis://user:hidden@h:99999', 'redis://u:hidden@[bad', 'redis://:hidden@', 'redis://u:%zzhidden@h', 'redis://h/hidden',
    'redis://u:hidden@h?enableOfflineQueue=true', 'redis://h#hidden', 'redis://h/0/hidden',
  ]
  for (const [name, value] of [...badUrls.map((url) => ['REDIS_URL', url] as const), ['PUBLISH_KEY', 'hidden'], ['PUBLISH_KEY', `${KEY},hidden`], ['OPS_KEY', 'hidden'], ['JWT_SECRET', 'hidden'], ['SHOPIFY_API_SECRET', 'hidden']] as const) {
    t.throws(() => loadConfig({ [name]: value }), { message: RegExp(`^${name} got a value that is not shown`) })
    try { loadConfig({ [name]: value }) } catch (error) { t.notMatch(String(error), 'hidden') }
  }
})

t.test('TRUST_PROXY is a number of hops, or a list of addresses and networks', async (t) => {
  t.equal(loadConfig({ TRUST_PROXY: '2' }).TRUST_PROXY, 2)
  t.strictSame(loadConfig({ TRUST_PROXY: '127.0.0.1,10.0.0.0/8,fd00::/8' }).TRUST_PROXY, ['127.0.0.1', '10.0.0.0/8', 'fd00::/8'])
})

t.test('each AUTH_MODE takes what it needs', async (t) => {
  const missing: Array<[env: Record<string, string>, name: string]> = [
    [{ AUTH_MODE: 'jwt' }, 'JWT_SECRET'],
    [{ AUTH_MODE: 'jwt', JWT_SECRET: KEY, JWT_JWKS_URL: 'https://issuer.example' }, 'JWT_JWKS_URL'],
    [{ AUTH_MODE: 'shopify', SHOPIFY_API_SECRET: KEY }, 'SHOPIFY_API_KEY'],
    [{ AUTH_MODE: 'shopify', SHOPIFY_API_KEY: 'key' }, 'SHOPIFY_API_SECRET'],
  ]
  for (const [env, name] of missing) t.throws(() => loadConfig(env), { name: 'ConfigError', message: RegExp(`^${name} got .*; it takes [^\\n]+$`) })
  t.match(loadConfig({ AUTH_MODE: 'jwt', JWT_SECRET: KEY }), { JWT_SECRET: KEY })
  t.match(loadConfig({ AUTH_MODE: 'jwt', JWT_JWKS_URL: 'http://localhost/keys' }), { JWT_JWKS_URL: 'http://localhost/keys' })
  t.match(loadConfig({ AUTH_MODE: 'shopify', SHOPIFY_API_KEY: 'key', SHOPIFY_API_SECRET: KEY }), { SHOPIFY_API_KEY: 'key' })
})

t.test('production refuses what must not face the public', async (t) => {
  t.throws(() => loadConfig({ NODE_ENV: 'production', REDIS_URL: 'redis://r:6379' }), { message: 'AUTH_MODE got "none"; it takes in production an authenticating mode: with none, anyone could listen to any merchant' })
  const ready = { NODE_ENV: 'production', REDIS_URL: 'redis://r:6379', AUTH_MODE: 'jwt' }
  t.match(loadConfig({ ...ready, JWT_SECRET: KEY }), { NODE_ENV: 'production', READY_WARMUP_MS: 22_000 })
  t.match(loadConfig({ ...ready, JWT_SECRET: KEY, HEARTBEAT_MS: '5000' }), { READY_WARMUP_MS: 12_000 })
  t.match(loadConfig({ ...ready, JWT_SECRET: KEY, READY_WARMUP_MS: '1' }), { READY_WARMUP_MS: 1 })
  t.match(loadConfig({ ...ready, JWT_JWKS_URL: 'https://issuer.example' }), { NODE_ENV: 'production' })
  t.throws(() => loadConfig({ ...ready, JWT_JWKS_URL: 'http://issuer.example' }), { message: /^JWT_JWKS_URL got "http:.*; it takes in production https/ })

  const signed = { ...ready, JWT_SECRET: KEY }
  t.match(loadConfig(signed), { DASHBOARD: false })
  t.throws(() => loadConfig({ ...signed, DASHBOARD: 'on' }), { message: /^DASHBOARD got "on"; it takes in production an OPS_KEY or an OPS_PORT[^\n]+$/ })
  t.match(loadConfig({ ...signed, DASHBOARD: 'on', OPS_KEY: KEY }), { DASHBOARD: true })
  t.match(loadConfig({ ...signed, DASHBOARD: 'on', OPS_PORT: '9090' }), { DASHBOARD: true })
})

t.test('the process ends at once, with that line', async (t) => {
  t.strictSame(await Service.refused({ HEARTBEAT_MS: 'soon' }), { code: 1, printed: ['realtime-fanout: HEARTBEAT_MS got "soon"; it takes milliseconds, 100–3600000'] })
  const { code, printed } = await Service.refused({ NODE_ENV: 'production' })
  t.equal(code, 1)
  t.match(printed, [/^realtime-fanout: REDIS_URL got nothing; it takes /])
})

t.test('a .env in the working directory is read; what is set already wins', async (t) => {
  const service = await Service.start(t, { CHANNEL_PREFIX: 'set' }, t.testdir({ '.env': `PUBLISH_KEY=${KEY}\nCHANNEL_PREFIX=a bad one\nREDIS_URL=\n` }))
  t.equal((await service.publish('TEST', { type: 'custom' })).status, 401)

  const cwd = process.cwd()
  process.chdir(t.testdir({ '.env': { 'is a folder': '' } }))
  t.throws(() => loadConfig(), { name: 'ConfigError', message: /^\.env cannot be read: / })
  process.chdir(cwd)
})

t.test("config.ts, .env.example, the README and the chart's values name the same variables", async (t) => {
  // NODE_ENV belongs to Node.js.
  const known = Object.keys(Environment.properties).filter((name) => name !== 'NODE_ENV').sort()
  const example = [...(await readFile('.env.example', 'utf8')).matchAll(/^#? ?([A-Z][A-Z_]+)=/gm)].map(([, name]) => name).sort()
  t.strictSame(example, known)
  const [, configuration] = (await readFile('README.md', 'utf8')).split('## Configuration\n')
  const readme = [...configuration!.matchAll(/^\| `([A-Z][A-Z_]+)` \|/gm)].map(([, name]) => name).sort()
  t.strictSame(readme, known)
  // Where Redis is has a value of its own.
  const values = valuesOf(await readFile('helm/values.yaml', 'utf8')).map(({ path }) => path.replace('redis.url', 'secrets.REDIS_URL').match(/^(?:config|secrets)\.(.*)$/)?.[1])
  t.strictSame(values.filter((name) => name !== undefined).sort(), known)

  t.test('with the same defaults', async (t) => {
    const text = await readFile('.env.example', 'utf8') + configuration!.replaceAll(/^\| `([A-Z_]+)` \| `?([^`|]*?)`? \|.*$/gm, '$1=$2')
    for (const [name, schema] of Object.entries(Environment.properties)) {
      if (name === 'NODE_ENV' || schema.default === undefined) continue
      const shown = [...text.matchAll(new RegExp(`^#? ?${name}=(.*)$`, 'gm'))].map(([, value]) => value)
      t.strictSame(shown, [String(schema.default), String(schema.default)], name)
    }
  })
})
