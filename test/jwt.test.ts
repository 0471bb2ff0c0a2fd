import t, { type Test } from 'tap'
import { JwksServer } from './helpers/jwks-server.js'
import { knock } from './helpers/knock.js'
import { RawClient } from './helpers/raw.js'
import { Service } from './helpers/service.js'
import { forge, inSeconds, IssuerKey, mint, type Claims } from './helpers/tokens.js'

const SECRET = 'a secret of this test that is long enough'
const SETTINGS = { AUTH_MODE: 'jwt', AUTH_COOKIE: 'session', JWT_ISSUER: 'https://issuer.example', JWT_AUDIENCE: 'realtime' }

/** What a good token says; `undefined` leaves a claim out. */
function good (more: Claims = {}): Claims {
  return { iss: 'https://issuer.example', aud: 'realtime', exp: inSeconds(60), merchantId: 'acme', ...more }
}

function bearer (token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}

/** A credential was shown and refused: by which code, and without being repeated. */
async function isRefused (t: Test, service: Service, headers: Record<string, string>, status: number, code: string): Promise<void> {
  const answer = await knock(t, service, headers)
  t.match(answer, { status, code })
  if (status === 401) t.equal(answer.challenge, 'Bearer error="invalid_token"')
  for (const header of Object.values(headers)) {
    for (const part of header.split(/[ .=]/).filter((part) => part.length > 10)) t.notOk(answer.body.includes(part), 'the answer shows nothing of it')
  }
}

t.test('tokens by a shared secret', async (t) => {
  const service = await Service.start(t, { ...SETTINGS, JWT_SECRET: SECRET })

  const letIn: Array<[name: string, headers: Record<string, string>]> = [
    ['Authorization: Bearer', bearer(await mint(good(), SECRET))],
    ['bearer in lower case', { authorization: `bearer ${await mint(good(), SECRET)}` }],
    ['two spaces after Bearer', { authorization: `Bearer  ${await mint(good(), SECRET)}` }],
    ['a cookie', { cookie: `session=${await mint(good(), SECRET)}` }],
    ['a cookie among others', { cookie: `theme=dark; session=${await mint(good(), SECRET)}; session2=x; other` }],
    ['a good header beside a bad cookie', { ...bearer(await mint(good(), SECRET)), cookie: 'session=bad' }],
    ['an array of audiences', bearer(await mint(good({ aud: ['other', 'realtime'] }), SECRET))],
    ['exp just gone by', bearer(await mint(good({ exp: inSeconds(-3) }), SECRET))],
    ['exp with a fraction', bearer(await mint(good({ exp: inSeconds(60) + 0.5 }), SECRET))],
    ['nbf about to come', bearer(await mint(good({ nbf: inSeconds(3) }), SECRET))],
    ['nbf long past', bearer(await mint(good({ nbf: inSeconds(-3_600) }), SECRET))],
    ['a kid, which a shared secret does not need', bearer(await mint(good(), SECRET, { alg: 'HS256', kid: '1' }))],
    ['nearly 8 KiB', bearer(await mint(good({ more: 'x'.repeat(5_500) }), SECRET))],
  ]
  for (const [name, headers] of letIn) {
    t.test(`let in: ${name}`, async (t) => { t.match(await knock(t, service, headers), { status: 200, merchantId: 'acme' }) })
  }

  const rsa = await IssuerKey.create('RS256', { kid: '1' })
  const token = await mint(good(), SECRET)
  const [head = '', body = '', signature = ''] = token.split('.')
  const refused: Array<[name: string, token: string, code?: string]> = [
    ['another secret', await mint(good(), `${SECRET}!`)],
    ['another body', [head, Buffer.from(JSON.stringify(good({ merchantId: 'other' }))).toString('base64url'), signature].join('.')],
    ['another header', [Buffer.from('{"alg":"HS256","x":1}').toString('base64url'), body, signature].join('.')],
    ['a truncated signature', token.slice(0, -1)],
    ['no signature', `${head}.${body}.`],
    ['two parts', `${head}.${body}`],
    ['four parts', `${token}.${signature}`],
    ['no dot at all', 'x'.repeat(20)],
    ['padding', `${token}=`],
    ['a body that is no JSON', forge({ alg: 'HS256' }, 'not-json-at-all', SECRET)],
    ['a body that is no object', forge({ alg: 'HS256' }, '["an array of"]', SECRET)],
    ['a header that is no JSON', forge('not-json-at-all', good(), SECRET)],
    ['a header that is null', forge('null', good(), SECRET)],
    ['alg none', forge({ alg: 'none' }, good())],
    ['alg NONE', forge({ alg: 'NONE' }, good())],
    ['alg none, but signed', forge({ alg: 'none' }, good(), SECRET)],
    ['no alg', forge({ typ: 'JWT' }, good(), SECRET)],
    ['HS512 by the same secret', await mint(good(), SECRET, { alg: 'HS512' })],
    ['RS256', await rsa.mint(good())],
    ['RS256 with its own key in the header', await rsa.mint(good(), { jwk: rsa.jwk })],
    ['a crit that is not understood', forge({ alg: 'HS256', crit: ['b64'], b64: false }, good(), SECRET)],
    ['a crit of nothing', forge({ alg: 'HS256', crit: [] }, good(), SECRET)],
    ['another issuer', await mint(good({ iss: 'https://evil.example' }), SECRET)],
    ['the issuer in an array', await mint(good({ iss: ['https://issuer.example'] }), SECRET)],
    ['no issuer', await mint(good({ iss: undefined }), SECRET)],
    ['another audience', await mint(good({ aud: 'other-service' }), SECRET)],
    ['an array of other audiences', await mint(good({ aud: ['other-service', 'realtime-not'] }), SECRET)],
    ['no audiences in an array', await mint(good({ aud: [] }), SECRET)],
    ['no audience', await mint(good({ aud: undefined }), SECRET)],
    ['no exp', await mint(good({ exp: undefined }), SECRET)],
    ['exp as a string', forge({ alg: 'HS256' }, good({ exp: String(inSeconds(60)) }), SECRET)],
    ['exp that is infinite', forge({ alg: 'HS256' }, JSON.stringify(good({ exp: 1 })).replace('"exp":1', '"exp":1e400'), SECRET)],
    ['exp null', forge({ alg: 'HS256' }, good({ exp: null }), SECRET)],
    ['exp gone by', await mint(good({ exp: inSeconds(-6) }), SECRET), 'RTF_TOKEN_EXPIRED'],
    ['exp in the stone age', forge({ alg: 'HS256' }, good({ exp: -1e300 }), SECRET), 'RTF_TOKEN_EXPIRED'],
    ['nbf to come', await mint(good({ nbf: inSeconds(30) }), SECRET)],
    ['nbf at the end of all days', forge({ alg: 'HS256' }, good({ nbf: 1e300 }), SECRET)],
    ['nbf as a string', forge({ alg: 'HS256' }, good({ nbf: '0' }), SECRET)],
    ['no merchant', await mint(good({ merchantId: undefined }), SECRET)],
    ['a merchant that is a number', await mint(good({ merchantId: 7 }), SECRET)],
    ['a merchant that is none', await mint(good({ merchantId: 'merchant:*' }), SECRET)],
    ['a merchant in an array', await mint(good({ merchantId: ['acme'] }), SECRET)],
    ['more than 8 KiB', await mint(good({ more: 'x'.repeat(6_200) }), SECRET)],
  ]
  for (const [name, token, code = 'RTF_BAD_TOKEN'] of refused) {
    t.test(`refused in the header: ${name}`, async (t) => isRefused(t, service, bearer(token), 401, code))
    t.test(`refused in the cookie: ${name}`, async (t) => isRefused(t, service, { cookie: `session=${token}` }, 401, code))
  }

  const badHeaders: Array<[name: string, authorization: string]> = [
    ['an empty one', ''], ['an empty bearer', 'Bearer'], ['white space in the token', `Bearer ${head}. ${body}.${signature}`], ['two tokens', `Bearer ${token}, Bearer ${token}`],
    ['Basic', `Basic ${Buffer.from('somebody:something').toString('base64')}`], ['no scheme', token], ['another scheme', `Token ${token}`],
  ]
  for (const [name, authorization] of badHeaders) {
    t.test(`an Authorization header that is no good is refused, whatever the cookie: ${name}`, async (t) =>
      isRefused(t, service, { authorization, cookie: `session=${token}` }, 401, 'RTF_BAD_TOKEN'))
  }

  t.test('two Authorization headers are refused, of which node:http would take the first, however far apart', async (t) => {
    for (const between of ['', 'A:\r\n'.repeat(2_500)]) {
      const client = new RawClient(t, service.port, `GET /api/realtime/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${between}authorization: Bearer ${token}\r\nConnection: close\r\n\r\n`)
      await client.until('}')
      t.match(client.answer, /^HTTP\/1\.1 400 /)
      t.match(client.answer, 'RTF_CREDENTIAL_TWICE')
      t.notOk(client.answer.includes(signature))
    }
  })
  t.test('a cookie that a browser sends along for a page of somewhere else is refused, if no Origin says that it may', async (t) => {
    const cookie = `session=${await mint(good(), SECRET)}`
    for (const site of ['cross-site', 'same-site']) await isRefused(t, service, { cookie, 'sec-fetch-site': site }, 403, 'RTF_FOREIGN_ORIGIN')
    for (const site of ['same-origin', 'none']) t.match(await knock(t, service, { cookie, 'sec-fetch-site': site }), { status: 200 })
    t.match(await knock(t, service, { cookie, 'sec-fetch-site': 'cross-site', origin: 'http://localhost:5173' }), { status: 200 })
  })

  t.test('two cookies of the name are refused, the same or not', async (t) => {
    await isRefused(t, service, { cookie: `session=${token}; session=${token}` }, 400, 'RTF_CREDENTIAL_TWICE')
    await isRefused(t, service, { cookie: `session=${token}; a=b; session=` }, 400, 'RTF_CREDENTIAL_TWICE')
  })
  t.test('no credential is told what one would be', async (t) => {
    for (const headers of [{}, { cookie: 'other=1' }, { cookie: 'session=' }]) {
      t.match(await knock(t, service, headers), { status: 401, code: 'RTF_CREDENTIAL_MISSING', challenge: /^Bearer$/, body: /cookie/ })
    }
  })
  t.test('a token is for its own merchant only', async (t) => {
    t.match(await knock(t, service, bearer(token), '?merchantId=acme'), { status: 200, merchantId: 'acme' })
    t.match(await knock(t, service, bearer(token), '?merchantId=other'), { status: 403, code: 'RTF_FOREIGN_MERCHANT' })
  })
  t.test('no credential is logged', async (t) => {
    const log = JSON.stringify(service.log.all)
    t.match(log, 'stream opened')
    t.notOk(log.includes(body))
    t.notOk(log.includes(signature))
    t.notOk(log.includes(SECRET))
    t.notMatch(log, 'are accepted; see')
  })
})

t.test('without JWT_ISSUER, JWT_AUDIENCE and AUTH_COOKIE', async (t) => {
  const service = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: SECRET, JWT_MERCHANT_CLAIM: 'https://acme.example/shop' })
  t.match(await service.log.first(({ level }) => level === 40), { msg: 'tokens of any issuer and any audience are accepted; see JWT_ISSUER and JWT_AUDIENCE' })
  const token = await mint({ exp: inSeconds(60), 'https://acme.example/shop': 'acme', merchantId: 'other' }, SECRET)
  t.match(await knock(t, service, bearer(token)), { status: 200, merchantId: 'acme' }, 'the merchant is in the claim that was named')
  t.match(await knock(t, service, { cookie: `session=${token}` }), { status: 401, code: 'RTF_CREDENTIAL_MISSING', challenge: /^Bearer$/ })
})

t.test('tokens by published keys', async (t) => {
  const keys = await Promise.all([
    IssuerKey.create('RS256', { kid: 'RS256' }), IssuerKey.create('PS384', { kid: 'PS384', alg: 'PS384', use: 'sig', key_ops: ['verify'] }),
    IssuerKey.create('ES256', { kid: 'ES256' }), IssuerKey.create('ES384', { kid: 'ES384' }), IssuerKey.create('ES512', { kid: 'ES512' }), IssuerKey.create('EdDSA', { kid: 'EdDSA', alg: 'EdDSA' }),
  ])
  const [rsa, pss, ec] = keys
  const issuer = await JwksServer.start(t, ...keys.map(({ jwk }) => jwk))
  const service = await Service.start(t, { ...SETTINGS, JWT_JWKS_URL: issuer.url })
  await service.log.first(({ msg }) => msg === 'the key set was fetched')

  for (const key of keys) {
    t.test(`let in: ${key.jwk.kid}`, async (t) => { t.match(await knock(t, service, bearer(await key.mint(good()))), { status: 200, merchantId: 'acme' }) })
    t.test(`refused: ${key.jwk.kid} that does not fit`, async (t) => {
      const [head, , signature] = (await key.mint(good())).split('.')
      await isRefused(t, service, bearer([head, Buffer.from(JSON.stringify(good({ merchantId: 'other' }))).toString('base64url'), signature].join('.')), 401, 'RTF_BAD_TOKEN')
    })
  }
  const stranger = await IssuerKey.create('RS256', { kid: 'RS256' })
  const refused: Array<[name: string, token: string, code?: string]> = [
    ['alg none', forge({ alg: 'none', kid: 'RS256' }, good())],
    ['alg none and no kid', forge({ alg: 'none' }, good())],
    ['HS256 by the public key as PEM', forge({ alg: 'HS256', kid: 'RS256' }, good(), rsa.pem)],
    ['HS256 by the public key as PEM, no kid', forge({ alg: 'HS256' }, good(), rsa.pem)],
    ['HS256 by the public key as JWK', forge({ alg: 'HS256', kid: 'RS256' }, good(), JSON.stringify(rsa.jwk))],
    ['ES256 by the kid of an RSA key', await ec.mint(good(), { kid: 'RS256' })],
    ['RS256 by a key that is published for PS384 only', forge({ alg: 'RS256', kid: 'PS384' }, good(), pss.pem)],
    ['a key of the same kid', await stranger.mint(good())],
    ['a key that the token itself brings', await stranger.mint(good(), { jwk: stranger.jwk })],
    ['a key from where the token says', await stranger.mint(good(), { jku: 'http://127.0.0.1:1/jwks.json' })],
    ['a kid that is no string', forge({ alg: 'RS256', kid: 7 }, good(), 'x')],
    ['a header that is no JSON', forge('not-json-at-all', good(), 'x')],
    ['a header that is null', forge('null', good(), 'x')],
    ['no dot at all', 'x'.repeat(20)],
    ['exp gone by', await rsa.mint(good({ exp: inSeconds(-6) })), 'RTF_TOKEN_EXPIRED'],
    ['another audience', await rsa.mint(good({ aud: 'other-service' }))],
  ]
  for (const [name, token, code = 'RTF_BAD_TOKEN'] of refused) t.test(`refused: ${name}`, async (t) => isRefused(t, service, bearer(token), 401, code))
})

t.test('keys are rotated, and their server goes', async (t) => {
  const [first, second] = await Promise.all([IssuerKey.create('ES256', { kid: 'first' }), IssuerKey.create('ES256', { kid: 'second' })])
  const issuer = await JwksServer.absent(t, first.jwk)
  const service = await Service.start(t, { ...SETTINGS, JWT_JWKS_URL: issuer.url })
  t.match(await service.log.first(({ msg }) => msg === 'the key set cannot be fetched'), { level: 40, why: /ECONNREFUSED/ })
  t.equal((await fetch(`${service.url}/healthz`)).status, 200, 'the service lives without it')

  await issuer.start()
  await service.log.first(({ msg }) => msg === 'the key set was fetched')
  t.match(await knock(t, service, bearer(await first.mint(good()))), { status: 200 })

  issuer.keys = [second.jwk]
  t.match(await knock(t, service, bearer(await second.mint(good()))), { status: 200 }, 'a new key works at once')
  t.match(await knock(t, service, bearer(await first.mint(good()))), { status: 401, code: 'RTF_BAD_TOKEN' }, 'one that was taken back does not')

  await issuer.stop()
  t.match(await knock(t, service, bearer(await second.mint(good()))), { status: 200 }, 'known keys do not need the server')
})

t.test('a secret that is not used, as AUTH_MODE is none, is worth a warning', async (t) => {
  const service = await Service.start(t, { JWT_SECRET: SECRET })
  t.match(service.log.all.filter(({ level }) => level === 40), [{ msg: /^AUTH_MODE is none: .* everybody may listen$/ }])
})
