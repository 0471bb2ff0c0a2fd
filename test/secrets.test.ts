import { createHash, createHmac, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { ReadableStream } from 'node:stream/web'
import t, { type Test } from 'tap'
import { JwksServer } from './helpers/jwks-server.js'
import { RawClient } from './helpers/raw.js'
import { TestRedis } from './helpers/redis.js'
import { Service, type Environment } from './helpers/service.js'
import { inSeconds, IssuerKey, mint } from './helpers/tokens.js'

/*
 * Whole runs, in which whatever is secret is shown to the service by every way there is, and then looked for in all that
 * the service has said: what it printed at its most talkative, what it answered, its metrics, its title.
 */

/** So many characters of a secret in a row are a leak. */
const LENGTH = 16

const random = () => randomBytes(24).toString('base64url')

/** All that must not be said, and all that was. */
class Witness {
  readonly #secrets = new Map<string, string>()
  readonly #said: Array<[where: string, text: string]> = []

  /** @returns the secret */
  knows (name: string, secret: string): string {
    this.#secrets.set(secret, name)
    return secret
  }

  hears (where: string, text: string): void {
    this.#said.push([where, text])
  }

  /** Which secrets were said, and where. */
  get leaks (): string[] {
    const parts = new Map<string, string>()
    for (const [secret, name] of this.#secrets) {
      for (const form of formsOf(secret)) {
        for (let i = 0; i + LENGTH <= form.length; i++) parts.set(form.slice(i, i + LENGTH), name)
      }
    }
    const leaks = new Set<string>()
    for (const [where, text] of this.#said) {
      for (let i = 0; i + LENGTH <= text.length; i++) {
        const name = parts.get(text.slice(i, i + LENGTH))
        if (name !== undefined) leaks.add(`${name} in ${where}`)
      }
    }
    return [...leaks]
  }
}

function formsOf (secret: string): string[] {
  const bytes = Buffer.from(secret)
  // In base64, what comes before decides by its length what a secret looks like.
  const encoded = ['', 'x', 'xx'].flatMap((before) => (['base64', 'base64url'] as const).map((encoding) => Buffer.from(before + secret).toString(encoding).slice(before === '' ? 0 : 4)))
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), bytes.toString('hex'), ...encoded]
}

/** A credential by any of the ways that a request may have. */
interface Shown {
  readonly name: string
  readonly value: string
}

/**
 * Shows each of these everywhere, with what they are for and with what they are not.
 * @param toAnybody whether anybody may listen to whatever they name, which then is a name and no secret.
 */
async function showAll (t: Test, witness: Witness, service: Service, shown: readonly Shown[], key: string, toAnybody = false): Promise<void> {
  const api = '/api/realtime'
  const json = 'Content-Type: application/json\r\n'
  for (const { name, value } of shown) {
    const inQuery = encodeURIComponent(value)
    const bearer = `Authorization: Bearer ${value}\r\n`
    const asPublisher = `Authorization: Bearer ${key}\r\n`
    const requests: Array<[what: string, request: string, headers?: string, body?: string]> = [
      ['bearer', `GET ${api}/events`, bearer], ['bearer, HEAD', `HEAD ${api}/events`, bearer], ['bearer twice', `GET ${api}/events`, bearer + bearer],
      ['bearer for another', `GET ${api}/events?merchantId=somebody-else`, bearer], ['bearer and bad topics', `GET ${api}/events?topics=*`, bearer],
      ['bearer and bad Accept', `GET ${api}/events`, `${bearer}Accept: text/html\r\n`], ['bearer and a foreign page', `GET ${api}/events`, `${bearer}Origin: https://evil.example\r\n`],
      ['another scheme', `GET ${api}/events`, `Authorization: Basic ${Buffer.from(`user:${value}`).toString('base64')}\r\n`], ['no scheme', `GET ${api}/events`, `Authorization: ${value}\r\n`],
      ['cookie', `GET ${api}/events`, `Cookie: session=${value}\r\n`], ['cookie twice', `GET ${api}/events`, `Cookie: session=${value}; session=${value}\r\n`],
      ['ticket', `GET ${api}/events?ticket=${inQuery}`], ['ticket twice', `GET ${api}/events?ticket=${inQuery}&ticket=${inQuery}`],
      ['signature', `GET ${api}/events?shop=acme.myshopify.com&timestamp=${inSeconds(0)}&signature=${inQuery}`], ['a signed query', `GET ${api}/events?${value.includes('signature=') ? value : ''}`],
      ['access_token', `GET ${api}/events?access_token=${inQuery}`], ['merchantId', `GET ${api}/events?merchantId=${inQuery}`], ['topics', `GET ${api}/events?topics=${inQuery}`],
      ['lastEventId', `GET ${api}/events?lastEventId=${inQuery}`, `Last-Event-ID: ${value}\r\n`], ['Origin', `GET ${api}/events`, `Origin: https://${value}\r\n`],
      ['for a ticket', `POST ${api}/ticket`, bearer], ['in the body for a ticket', `POST ${api}/ticket`, bearer + json, JSON.stringify({ topics: value, origin: value, [value]: value })],
      ['publish key', `POST ${api}/merchants/acme/events`, bearer + json, '{"type":"custom"}'], ['publish key twice', `POST ${api}/merchants/acme/events`, bearer + bearer + json, '{}'],
      ['no JSON', `POST ${api}/merchants/acme/events`, asPublisher + json, `{"type":"custom","${value}`], ['no JSON for a ticket', `POST ${api}/ticket`, bearer + json, value],
      ['a bad event', `POST ${api}/merchants/acme/events`, asPublisher + json, JSON.stringify({ type: 'progress', poId: value, progress: value, [value]: 1 })], ['a bad type', `POST ${api}/merchants/acme/events`, asPublisher + json, JSON.stringify({ type: value })],
      ['too big a body', `POST ${api}/ticket`, bearer + json, JSON.stringify({ topics: value.padEnd(5_000, '.') })], ['a type that is none', `POST ${api}/ticket`, `${bearer}Content-Type: text/${value}\r\n`, value],
      ['a bad merchant', `POST ${api}/merchants/*${inQuery}/events`, asPublisher + json, '{}'],
      ['not found', `GET /${inQuery}?${inQuery}`, bearer], ['not allowed', `DELETE ${api}/events?ticket=${inQuery}`, bearer], ['a malformed path', `GET /%zz${inQuery}?ticket=${inQuery}`, bearer],
      ['behind #', `GET ${api}/events#${inQuery}`], ['the operators’ paths', `GET /healthz?${inQuery}`, bearer], ['no host', 'no HTTP', bearer],
    ]
    for (const [what, request, headers = '', body] of requests) {
      if (toAnybody && ['merchantId', 'topics'].includes(what)) continue
      const [line, version] = request === 'no HTTP' ? [`GET /?ticket=${inQuery}`, 'HTTP/9.9'] : [request, 'HTTP/1.1']
      const client = new RawClient(t, service.port, `${line} ${version}\r\nHost: x\r\n${headers}Connection: close\r\n${body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`}\r\n${body ?? ''}`)
      await Promise.race([client.closed, client.until('"connected"').catch(() => { /* It is closed. */ })])
      client.socket.destroy()
      // A ticket is for whoever asked for it; it is looked for everywhere else.
      const issued = /"ticket":"([^"]+)"/.exec(client.answer)?.[1]
      if (issued !== undefined) witness.knows('an issued ticket', issued)
      witness.hears(`the answer to ${name}, ${what}`, issued === undefined ? client.answer : client.answer.replaceAll(issued, ''))
    }
  }
  for (const path of ['/metrics', '/healthz', '/readyz', '/dashboard', '/dashboard/session']) {
    const answer = await fetch(service.opsUrl + path)
    witness.hears(path, JSON.stringify([...answer.headers]) + await answer.text())
  }
}

/** Shows each of these as a key to the live page. */
async function showToDashboard (witness: Witness, service: Service, shown: readonly Shown[]): Promise<void> {
  for (const { name, value } of shown) {
    const attempt = await fetch(`${service.opsUrl}/dashboard/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ key: value }) })
    witness.hears(`the answer to ${name} at the live page, ${attempt.status}`, JSON.stringify([...attempt.headers]) + await attempt.text())
    const viewing = new AbortController()
    const feed = await fetch(`${service.opsUrl}/dashboard/events?key=${encodeURIComponent(value)}`, { headers: { authorization: `Bearer ${encodeURIComponent(value)}` }, signal: viewing.signal })
    const { value: said } = await (feed.body as ReadableStream<Uint8Array>).getReader().read()
    witness.hears(`the feed of the live page, for ${name}, ${feed.status}`, Buffer.from(said!).toString())
    viewing.abort()
  }
}

/** All that it printed until its end, and what `ps` shows of it. */
async function ends (t: Test, witness: Witness, service: Service): Promise<void> {
  for (const file of ['cmdline', 'comm']) witness.hears(`the process's ${file}`, await readFile(`/proc/${service.pid}/${file}`, 'utf8').catch(() => ''))
  service.signal('SIGTERM')
  t.strictSame(await service.exit, { code: 0, signal: null })
  for (const line of service.output) witness.hears(`the output: ${line.slice(0, 200)}`, line)
  t.ok(service.output.length > 3, 'it has said something')
}

interface Mode {
  readonly env: Environment
  readonly shown: readonly Shown[]
}

/** Sees all of it in one AUTH_MODE, with a Redis that has a password, is away for a while, and then is another one's. */
async function fullRun (t: Test, witness: Witness, { env, shown }: Mode): Promise<void> {
  const password = witness.knows('the password of Redis', `p@ss/w:rd ${random()}`)
  const wrong = witness.knows('a wrong password of Redis', `wr@ng/"${random()}`)
  const key = witness.knows('the publish key', random() + random())
  const opsKey = witness.knows('the key to the live page', random() + random())
  const redis = await TestRedis.start(t, password)
  const settings = { NODE_ENV: 'test', LOG_LEVEL: 'trace', OPS_PORT: '0', AUTH_COOKIE: 'session', PUBLISH_KEY: key, OPS_KEY: opsKey, ...env }
  const all = [...shown, { name: 'the publish key', value: key }, { name: 'a wrong publish key', value: witness.knows('a wrong publish key', random()) }]

  const service = await Service.start(t, { ...settings, REDIS_URL: redis.url })
  await service.log.first(({ msg }) => msg === 'subscribed')
  await showAll(t, witness, service, all, key, env.AUTH_MODE === 'none')
  await showToDashboard(witness, service, [{ name: 'its key', value: opsKey }, { name: 'the publish key', value: key }])
  t.equal((await service.publish('acme', { type: 'custom' }, { authorization: `Bearer ${key}` })).status, 202, 'the right password and the right key work')
  await redis.kill()
  await service.log.first(({ msg }) => msg === 'subscription lost')
  await showAll(t, witness, service, all, key, env.AUTH_MODE === 'none')
  await redis.start()
  await service.log.first(({ msg }) => msg === 'subscribed again')
  // A fault of the service's own: the only case in which a request is logged.
  const issued = witness.knows('a ticket that leads to a fault', random() + random().slice(0, 11))
  const digest = createHash('sha256').update(issued).digest('base64url')
  await redis.cli('SET', `merchant:_ticket:${digest}`, 'no JSON')
  const fault = await fetch(`${service.url}/api/realtime/events?ticket=${issued}`)
  t.equal(fault.status, 500)
  witness.hears('a fault', JSON.stringify([...fault.headers]) + await fault.text())
  await service.log.first(({ msg }) => msg === 'a request failed')
  await ends(t, witness, service)

  const stranger = await Service.start(t, { ...settings, REDIS_URL: redis.urlWith(wrong) })
  t.match(await stranger.log.first(({ msg }) => msg === 'Redis does not answer as it should'), { problem: /WRONGPASS|NOAUTH/ })
  await showAll(t, witness, stranger, all.slice(0, 1), key, env.AUTH_MODE === 'none')
  await ends(t, witness, stranger)
}

/** Tokens, good and bad. */
async function tokens (witness: Witness, name: string, claims: Record<string, unknown>, sign: (claims: Record<string, unknown>) => Promise<string>): Promise<Shown[]> {
  const good = await sign({ ...claims, exp: inSeconds(600) })
  const all = {
    good,
    expired: await sign({ ...claims, exp: inSeconds(-600) }),
    'too long': await sign({ ...claims, exp: inSeconds(600), more: random().repeat(200) }),
    cut: good.slice(0, -5),
    forged: await mint({ ...claims, exp: inSeconds(600) }, random()),
    'without a merchant': await sign({ exp: inSeconds(600) }),
  }
  return Object.entries(all).map(([which, value]) => ({ name: `a ${which} ${name}`, value: witness.knows(`a ${which} ${name}`, value) }))
}

t.test('AUTH_MODE=none', async (t) => {
  const witness = new Witness()
  await fullRun(t, witness, { env: { AUTH_MODE: 'none' }, shown: [{ name: 'a ticket', value: witness.knows('a ticket that is none', random() + random().slice(0, 11)) }] })
  t.strictSame(witness.leaks, [])
})

t.test('AUTH_MODE=jwt, by a secret', async (t) => {
  const witness = new Witness()
  const secret = witness.knows('JWT_SECRET', `${random()}/"${random()}`)
  await fullRun(t, witness, { env: { AUTH_MODE: 'jwt', JWT_SECRET: secret }, shown: await tokens(witness, 'token', { merchantId: 'acme' }, async (claims) => mint(claims, secret)) })
  t.strictSame(witness.leaks, [])
})

t.test('AUTH_MODE=jwt, by published keys, and by none', async (t) => {
  const witness = new Witness()
  const key = await IssuerKey.create('ES256', { kid: '1' })
  const shown = await tokens(witness, 'token', { merchantId: 'acme' }, async (claims) => key.mint(claims))
  const query = witness.knows('what is in the query of JWT_JWKS_URL', random())
  const issuer = await JwksServer.start(t, key.jwk)
  await fullRun(t, witness, { env: { AUTH_MODE: 'jwt', JWT_JWKS_URL: `${issuer.url}?key=${query}` }, shown })

  const failures: Array<[name: string, instead: NonNullable<JwksServer['instead']>]> = [
    ['an error', (response) => { response.writeHead(500).end(query) }], ['no JSON', (response) => { response.end(query) }],
    ['no key set', (response) => { response.end(JSON.stringify([query])) }], ['elsewhere', (response) => { response.writeHead(302, { location: `/?${query}` }).end() }], ['a cut connection', (response) => { response.destroy() }],
  ]
  for (const [name, instead] of failures) {
    issuer.instead = instead
    const service = await Service.start(t, { NODE_ENV: 'test', LOG_LEVEL: 'trace', OPS_PORT: '0', AUTH_MODE: 'jwt', JWT_JWKS_URL: `${issuer.url}?key=${query}` })
    t.ok(await service.log.first(({ msg }) => msg === 'the key set cannot be fetched'), name)
    await showAll(t, witness, service, shown.slice(0, 1), random())
    await ends(t, witness, service)
  }
  t.strictSame(witness.leaks, [])
})

t.test('AUTH_MODE=shopify', async (t) => {
  const witness = new Witness()
  const apiKey = 'an-app'
  const secret = witness.knows('SHOPIFY_API_SECRET', `shpss_${random()}`)
  const shop = 'acme.myshopify.com'
  const session = await tokens(witness, 'session token', { iss: `https://${shop}/admin`, dest: `https://${shop}`, aud: apiKey, nbf: inSeconds(-1_000) }, async (claims) => mint(claims, secret))
  const signed = [['good', secret], ['forged', random()]].map(([which, by]): Shown => {
    const timestamp = inSeconds(0)
    const signature = witness.knows(`a ${which} signature`, createHmac('sha256', by!).update(`shop=${shop}timestamp=${timestamp}`).digest('hex'))
    return { name: `a ${which} signed query`, value: `shop=${shop}&timestamp=${timestamp}&signature=${signature}` }
  })
  await fullRun(t, witness, { env: { AUTH_MODE: 'shopify', SHOPIFY_API_KEY: apiKey, SHOPIFY_API_SECRET: secret }, shown: [...session, ...signed] })
  t.strictSame(witness.leaks, [])
})

t.test('a configuration that is refused', async (t) => {
  const witness = new Witness()
  const secret = witness.knows('a secret', random())
  const table: Environment[] = [
    { REDIS_URL: `redis://:${secret}@/nowhere at all` }, { REDIS_URL: `redis://:${secret}@localhost/not-a-number` }, { REDIS_URL: `http://:${secret}@localhost` }, { REDIS_URL: `redis://:%zz${secret}@localhost` },
    { PUBLISH_KEY: `${secret},short` }, { PUBLISH_KEY: `${secret} ${secret}` }, { AUTH_MODE: 'jwt', JWT_SECRET: secret.slice(0, 20) }, { AUTH_MODE: 'shopify', SHOPIFY_API_KEY: 'an-app', SHOPIFY_API_SECRET: `${secret} ` },
    { AUTH_MODE: 'jwt', JWT_JWKS_URL: `https://user:${secret}@issuer.example/` }, { AUTH_MODE: 'jwt', JWT_JWKS_URL: `ftp://issuer.example/?key=${secret}` },
    { NODE_ENV: 'production', REDIS_URL: 'redis://localhost', AUTH_MODE: 'jwt', JWT_JWKS_URL: `http://issuer.example/?key=${secret}` },
  ]
  for (const env of table) {
    const { code, printed } = await Service.refused(env)
    t.equal(code, 1)
    witness.hears(`what is said of ${Object.keys(env).at(-1)}`, printed.join('\n'))
  }
  t.strictSame(witness.leaks, [])
})

t.test('this test would find them', async (t) => {
  const secret = `${random()}"/`
  for (const said of [secret, encodeURIComponent(secret), JSON.stringify({ secret }), Buffer.from(secret).toString('base64'), Buffer.from(`user:${secret}`).toString('base64'), Buffer.from(secret).toString('hex'), `…${secret.slice(5, 21)}…`]) {
    const witness = new Witness()
    witness.knows('it', secret)
    witness.hears('it', `Authorization: ${said}`)
    t.strictSame(witness.leaks, ['it in it'], said)
  }
})
