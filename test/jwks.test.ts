import { once } from 'node:events'
import t, { type Test } from 'tap'
import { KeySet, type KeySetOptions } from '../src/auth/jwks.js'
import { createLog } from '../src/log.js'
import { Arrivals } from './helpers/arrivals.js'
import { JwksServer } from './helpers/jwks-server.js'
import type { LogLine } from './helpers/service.js'
import { IssuerKey, type Claims } from './helpers/tokens.js'

/* What takes time is tested here, where time can be made short. All else is tested through the front door, in jwt.test.ts. */

const CLAIMS: Claims = { merchantId: 'acme' }
const LONG = 3_600_000

function keySet (t: Test, { url }: JwksServer, options: Partial<KeySetOptions> = {}) {
  const log = new Arrivals<LogLine>()
  const closing = new AbortController()
  t.teardown(() => { closing.abort() })
  const keys = new KeySet({ url, log: createLog('debug', { write: (line) => { log.add(JSON.parse(line) as LogLine) } }), signal: closing.signal, retryMs: LONG, ...options })
  return { keys, log, closing }
}

const fetched = ({ msg }: LogLine) => msg === 'the key set was fetched'
const failed = ({ msg }: LogLine) => msg === 'the key set cannot be fetched'
const AWAY = { code: 'RTF_AUTH_AWAY', statusCode: 503 }
const BAD = { code: 'RTF_BAD_TOKEN', statusCode: 401 }

t.test('an answer that is no key set leaves the service without keys, until one is', async (t) => {
  const key = await IssuerKey.create('ES256', { kid: '1' })
  const token = await key.mint(CLAIMS)
  const elsewhere = await JwksServer.start(t, key.jwk)
  const answers: Array<[name: string, instead: NonNullable<JwksServer['instead']>, why: RegExp]> = [
    ['it is an error', (response) => { response.writeHead(500).end('{"keys":[]}') }, /status 500/],
    ['it has no body', (response) => { response.writeHead(204).end() }, /status 204/],
    ['it is no JSON', (response) => { response.end('<html>') }, /JSON/],
    ['it is null', (response) => { response.end('null') }, /null/],
    ['it has no keys', (response) => { response.end('{}') }, /is no key set/],
    ['its keys are no array', (response) => { response.end('{"keys":{}}') }, /is no key set/],
    ['it is huge', (response) => { response.end(`{"keys":[],"more":"${'x'.repeat(300_000)}"}`) }, /more than 262144 bytes/],
    ['it leads elsewhere', (response) => { response.writeHead(302, { location: elsewhere.url }).end() }, /redirect/],
    ['it breaks off', (response) => { response.writeHead(200, { 'content-length': 100 }).write('{"keys":', () => { response.destroy() }) }, /terminated/],
    ['it never comes', () => {}, /timeout/],
    ['it never ends', (response) => { response.write('{"keys":') }, /timeout/],
  ]
  for (const [name, instead, why] of answers) {
    t.test(name, async (t) => {
      const server = await JwksServer.start(t, key.jwk)
      server.instead = instead
      const { keys, log } = keySet(t, server, { retryMs: 200, ...(why.source === 'timeout' && { timeoutMs: 200 }) })
      await t.rejects(keys.verify(token), AWAY, 'whoever comes first waits for the first fetch, and no longer')
      t.match(log.all, [{ level: 40, why }])
      server.instead = undefined
      await log.first(fetched)
      t.match(await keys.verify(token), CLAIMS)
    })
  }
  t.equal(elsewhere.requests.all.length, 0)
})

t.test('whoever comes before the first fetch has ended waits for it', async (t) => {
  const key = await IssuerKey.create('ES256', { kid: '1' })
  const server = await JwksServer.start(t, key.jwk)
  const { keys } = keySet(t, server)
  t.match(await keys.verify(await key.mint(CLAIMS)), CLAIMS)
  t.equal(server.requests.all.length, 1)
})

t.test('keys are fetched anew when they have got old, and go on being used when that fails', async (t) => {
  const [first, second] = await Promise.all([IssuerKey.create('ES256', { kid: 'first' }), IssuerKey.create('ES256', { kid: 'second' })])
  const server = await JwksServer.start(t, first.jwk)
  const { keys, log } = keySet(t, server, { maxAgeMs: 20, retryMs: 20, cooldownMs: 0 })
  await log.first(fetched)

  server.instead = (response) => { response.writeHead(500).end() }
  await log.first(failed)
  await server.requests.count(server.requests.all.length + 3)
  t.equal(log.all.filter(failed).length, 1, 'of many failures, one is logged')
  t.match(await keys.verify(await first.mint(CLAIMS)), CLAIMS)
  await t.rejects(keys.verify(await second.mint(CLAIMS)), AWAY, 'an unknown key may be a new one, which cannot be told')

  server.keys = [second.jwk]
  const again = log.next(fetched)
  server.instead = undefined
  await again
  t.match(await keys.verify(await second.mint(CLAIMS)), CLAIMS)
  await t.rejects(keys.verify(await first.mint(CLAIMS)), BAD, 'one that was taken back is of no use')

  server.keys = []
  const { length } = server.requests.all
  await server.requests.count(length + 2)
  await t.rejects(keys.verify(await second.mint(CLAIMS)), BAD, 'an issuer that takes back all its keys is obeyed')
})

t.test('unknown keys cause one fetch at a time, and one per cooldown', async (t) => {
  const [known, unknown] = await Promise.all([IssuerKey.create('ES256', { kid: 'known' }), IssuerKey.create('ES256', { kid: 'unknown' })])
  const server = await JwksServer.start(t, known.jwk)
  const { keys, log } = keySet(t, server, { cooldownMs: 500 })
  await log.first(fetched)
  const tokens = await Promise.all(Array.from({ length: 20 }, async (_, i) => unknown.mint(CLAIMS, { kid: `unknown-${i}` })))

  const firstAt = performance.now()
  await Promise.all(tokens.map(async (token) => t.rejects(keys.verify(token), BAD)))
  t.equal(server.requests.all.length, 2)
  // A key that is published within the cooldown is not refused, however many unknown ones came before it.
  const waiting = tokens.map(async (token) => t.rejects(keys.verify(token), BAD))
  server.keys = [known.jwk, unknown.jwk]
  t.match(await keys.verify(await unknown.mint(CLAIMS)), CLAIMS)
  t.ok(performance.now() - firstAt > 499)
  await Promise.all(waiting)
  t.equal(server.requests.all.length, 3)
  server.keys = [known.jwk]

  t.test('what waits when all ends is told that it cannot be told', async (t) => {
    const ending = new AbortController()
    const { keys, log } = keySet(t, server, { cooldownMs: LONG, signal: ending.signal })
    await log.first(fetched)
    await t.rejects(keys.verify(tokens[0]!), BAD)
    const waiting = t.rejects(keys.verify(tokens[1]!), AWAY)
    ending.abort()
    await waiting
  })

  t.test('another one after that', async (t) => {
    const { keys, log } = keySet(t, server, { cooldownMs: 0 })
    await log.first(fetched)
    const { length } = server.requests.all
    for (const token of tokens.slice(0, 3)) await t.rejects(keys.verify(token), BAD)
    t.equal(server.requests.all.length, length + 3)
    await Promise.all(tokens.map(async (token) => t.rejects(keys.verify(token), BAD)))
    t.equal(server.requests.all.length, length + 4, 'which all those wait for that come meanwhile')
  })

  t.test('when that fails, it cannot be told whether the key is one', async (t) => {
    const { keys, log } = keySet(t, server, { cooldownMs: 0 })
    await log.first(fetched)
    server.instead = (response) => { response.writeHead(503).end() }
    for (const token of tokens.slice(0, 2)) await t.rejects(keys.verify(token), AWAY)
    t.match(await keys.verify(await known.mint(CLAIMS)), CLAIMS)
  })
})

t.test('a token without a kid', async (t) => {
  const [ec, rsa, otherRsa] = await Promise.all([IssuerKey.create('ES256'), IssuerKey.create('RS256'), IssuerKey.create('RS256')])
  const server = await JwksServer.start(t, { ...ec.jwk, kid: '1' }, { ...rsa.jwk, kid: '2' }, { ...otherRsa.jwk, kid: '3' })
  const { keys } = keySet(t, server, { cooldownMs: LONG })
  t.match(await keys.verify(await ec.mint(CLAIMS)), CLAIMS, 'is checked by the only key that fits')
  t.equal(server.requests.all.length, 1)
  const newKey = await IssuerKey.create('ES256')
  server.keys = [newKey.jwk, rsa.jwk, otherRsa.jwk]
  t.match(await keys.verify(await newKey.mint(CLAIMS)), CLAIMS, 'may be by a new key')
  t.equal(server.requests.all.length, 2)
  await t.rejects(keys.verify(await rsa.mint(CLAIMS)), { ...BAD, message: /which key/ }, 'is refused where several fit')
  await t.rejects(keys.verify(await ec.mint(CLAIMS)), BAD, 'is refused where it was signed by none')
  t.equal(server.requests.all.length, 2, 'without being kept waiting')
})

t.test('keys that are no good are skipped, and take no others with them', async (t) => {
  const good = await IssuerKey.create('ES256', { kid: 'good' })
  const skipped: Array<[name: string, token: string, jwk: unknown]> = []
  const skip = async (name: string, alg: string, change: object, modulusLength?: number): Promise<void> => {
    const key = await IssuerKey.create(alg, { kid: name }, modulusLength)
    skipped.push([name, await key.mint(CLAIMS), { ...key.jwk, ...change }])
  }
  await skip('for encryption', 'ES256', { use: 'enc' })
  await skip('not for verifying', 'ES256', { key_ops: ['sign'] })
  await skip('of an alg that is not of its family', 'ES256', { alg: 'RS256' })
  await skip('of a symmetric alg', 'RS256', { alg: 'HS256' })
  await skip('of alg none', 'RS256', { alg: 'none' })
  await skip('of another curve than it says', 'ES256', { crv: 'P-384' })
  await skip('of an unknown kind', 'ES256', { kty: 'XYZ' })
  await skip('not on its curve', 'ES256', { x: 'AAAA' })
  await skip('without a curve', 'ES256', { crv: undefined })
  const server = await JwksServer.start(t, null, 'a key', { kty: 'oct', kid: 'symmetric', k: 'c2VjcmV0' }, ...skipped.map(([, , jwk]) => jwk), good.jwk)
  const { keys, log } = keySet(t, server, { cooldownMs: 0 })
  t.match(await log.first(fetched), { keys: 1, skipped: skipped.length + 3 })
  t.match(await keys.verify(await good.mint(CLAIMS)), CLAIMS)
  for (const [name, token] of skipped) await t.rejects(keys.verify(token), BAD, name)

  t.test('an RSA key of fewer than 2048 bits', async (t) => {
    // Of 1024 bits, because jose does not sign with one.
    const weak = { kty: 'RSA', kid: 'weak', e: 'AQAB', n: Buffer.alloc(128, 0xff).toString('base64url') }
    const { log } = keySet(t, await JwksServer.start(t, weak, { ...weak, n: Buffer.alloc(256, 0xff).toString('base64url') }))
    t.match(await log.first(fetched), { keys: 1, skipped: 1 })
  })
})

t.test('closing ends a fetch that is under way, and all to come', async (t) => {
  const server = await JwksServer.start(t)
  server.instead = () => {}
  const hanging = keySet(t, server, { retryMs: 0, timeoutMs: LONG })
  const response = await server.requests.next()
  hanging.closing.abort()
  await once(response, 'close')
  await t.rejects(hanging.keys.verify('e30.e30.'), AWAY)

  server.instead = undefined
  const waiting = keySet(t, server, { maxAgeMs: 50 })
  await waiting.log.first(fetched)
  waiting.closing.abort()
  const later = keySet(t, server, { maxAgeMs: 100 })
  await later.log.first(fetched)
  await server.requests.count(server.requests.all.length + 1)
  t.equal(server.requests.all.length, 4, 'the one that hung, the one before closing, and two of a set that lives')
  t.strictSame(hanging.log.all, [], 'that it was ended is no failure')
})
