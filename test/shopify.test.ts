import { createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import { knock, type Answer } from './helpers/knock.js'
import { RawClient } from './helpers/raw.js'
import { Service } from './helpers/service.js'
import { forge, inSeconds, mint, type Claims } from './helpers/tokens.js'

const KEY = '0123456789abcdef0123456789abcdef'
const SECRET = 'shpss_0123456789abcdef0123456789abcdef'
const SETTINGS = { AUTH_MODE: 'shopify', AUTH_COOKIE: 'session', SHOPIFY_API_KEY: KEY, SHOPIFY_API_SECRET: SECRET }
const SHOP = 'acme.myshopify.com'

type Pairs = ReadonlyArray<[name: string, value: string]>

/** A session token's claims, as Shopify documents them. */
function session (more: Claims = {}): Claims {
  return { iss: `https://${SHOP}/admin`, dest: `https://${SHOP}`, aud: KEY, sub: '1', exp: inSeconds(60), nbf: inSeconds(0), iat: inSeconds(0), jti: 'j', sid: 's', ...more }
}

/** How the app proxy signs: https://shopify.dev/docs/apps/build/online-store/app-proxies/authenticate-app-proxies. */
function signatureOf (pairs: Pairs, secret = SECRET): string {
  const byName = new Map<string, string[]>()
  for (const [name, value] of pairs) byName.set(name, [...byName.get(name) ?? [], value])
  const lines = [...byName].map(([name, values]) => `${name}=${values.join(',')}`)
  return createHmac('sha256', secret).update(lines.sort().join('')).digest('hex')
}

function proxied (more: Pairs = [], { shop = SHOP, at = inSeconds(0) } = {}): Pairs {
  return [...more, ['shop', shop], ['logged_in_customer_id', ''], ['path_prefix', '/apps/acme'], ['timestamp', String(at)]]
}

function signed (pairs: Pairs, signature = signatureOf(pairs)): string {
  return queryOf([...pairs, ['signature', signature]])
}

function queryOf (pairs: Pairs): string {
  return `?${new URLSearchParams([...pairs]).toString()}`
}

t.test('the signatures of these tests are those of the documentation', async (t) => {
  const pairs: Pairs = [['extra', '1'], ['extra', '2'], ['shop', 'shop-name.myshopify.com'], ['logged_in_customer_id', '1'], ['path_prefix', '/apps/awesome_reviews'], ['timestamp', '1317327555']]
  t.equal(signatureOf(pairs, 'hush'), '4c68c8624d737112c91818c11017d24d334b524cb5c2b8ba08daa056f7395ddb')
})

t.test('session tokens', async (t) => {
  const service = await Service.start(t, SETTINGS)
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const token = await mint(session(), SECRET)

  const letIn: Array<[name: string, headers: Record<string, string>]> = [
    ['in the header', bearer(token)],
    ['in the cookie', { cookie: `session=${token}` }],
    ['in the header, beside a bad cookie', { ...bearer(token), cookie: 'session=bad' }],
    ['just expired', bearer(await mint(session({ exp: inSeconds(-3) }), SECRET))],
    ['about to begin', bearer(await mint(session({ nbf: inSeconds(3) }), SECRET))],
    ['an issuer without a path', bearer(await mint(session({ iss: `https://${SHOP}` }), SECRET))],
  ]
  for (const [name, headers] of letIn) {
    t.test(`let in: ${name}`, async (t) => { t.match(await knock(t, service, headers), { status: 200, merchantId: SHOP }) })
  }

  const refused: Array<[name: string, token: string, code?: string]> = [
    ['another secret', await mint(session(), `${SECRET}!`)],
    ['another algorithm', await mint(session(), SECRET, { alg: 'HS512' })],
    ['alg none', forge({ alg: 'none' }, session())],
    ['another app', await mint(session({ aud: 'another-app' }), SECRET)],
    ['no app', await mint(session({ aud: undefined }), SECRET)],
    ['expired', await mint(session({ exp: inSeconds(-6) }), SECRET), 'RTF_TOKEN_EXPIRED'],
    ['no exp', await mint(session({ exp: undefined }), SECRET)],
    ['no nbf', await mint(session({ nbf: undefined }), SECRET)],
    ['not valid yet', await mint(session({ nbf: inSeconds(30) }), SECRET)],
    ['dest of another shop', await mint(session({ dest: 'https://other.myshopify.com' }), SECRET)],
    ['iss of another shop', await mint(session({ iss: 'https://other.myshopify.com/admin' }), SECRET)],
    ['no iss', await mint(session({ iss: undefined }), SECRET)],
    ['no dest', await mint(session({ dest: undefined }), SECRET)],
    ['neither', await mint(session({ iss: undefined, dest: undefined }), SECRET)],
    ['dest that is no string', await mint(session({ dest: 7 }), SECRET)],
    ...await Promise.all([
      'myshopify.com', '.myshopify.com', 'acme.myshopify.com.evil.com', 'acmemyshopify.com', 'evil.com', 'a.b.myshopify.com', 'ACME.myshopify.com',
      'acme.myshopify.com:8443', 'user@acme.myshopify.com', 'evil.com#.myshopify.com', 'evil.com?.myshopify.com', 'acme.myshopify.com\n', '-acme.myshopify.com', `${'a'.repeat(101)}.myshopify.com`,
    ].map(async (host): Promise<[string, string]> => [`a shop at ${JSON.stringify(host)}`, await mint(session({ iss: `https://${host}/admin`, dest: `https://${host}` }), SECRET)])),
    ['a shop without TLS', await mint(session({ iss: `http://${SHOP}/admin`, dest: `http://${SHOP}` }), SECRET)],
  ]
  for (const [name, token, code = 'RTF_BAD_TOKEN'] of refused) {
    t.test(`refused: ${name}`, async (t) => {
      const answer = await knock(t, service, bearer(token))
      t.match(answer, { status: 401, code, challenge: 'Bearer error="invalid_token"' })
      for (const part of token.split('.').filter((part) => part !== '')) t.notOk(answer.body.includes(part))
    })
  }

  t.test('no credential is told what one would be', async (t) => {
    t.match(await knock(t, service), { status: 401, code: 'RTF_CREDENTIAL_MISSING', challenge: /^Bearer$/ })
    t.match(await knock(t, service, {}, `?shop=${SHOP}`), { status: 401, code: 'RTF_CREDENTIAL_MISSING' }, 'to name a shop is none')
  })
  t.test('a token is for its own shop only', async (t) => {
    t.match(await knock(t, service, bearer(token), `?merchantId=${SHOP}`), { status: 200, merchantId: SHOP })
    t.match(await knock(t, service, bearer(token), '?merchantId=other.myshopify.com'), { status: 403, code: 'RTF_FOREIGN_MERCHANT' })
  })
  t.test('the header comes first, then the signature, then the cookie, and none of them makes up for another', async (t) => {
    const bad = await mint(session({ aud: 'another-app' }), SECRET)
    const query = signed(proxied([], { shop: 'other.myshopify.com' }))
    t.match(await knock(t, service, bearer(token), query), { status: 200, merchantId: SHOP })
    t.match(await knock(t, service, { cookie: `session=${token}` }, query), { status: 200, merchantId: 'other.myshopify.com' })
    t.match(await knock(t, service, bearer(bad), query), { status: 401, code: 'RTF_BAD_TOKEN' })
    t.match(await knock(t, service, { cookie: `session=${token}` }, `?signature=${'0'.repeat(64)}`), { status: 401, code: 'RTF_BAD_SIGNATURE' })
    t.match(await knock(t, service, { authorization: 'Basic x', cookie: `session=${token}` }), { status: 401, code: 'RTF_BAD_TOKEN' })
  })
  t.test('two Authorization headers are refused', async (t) => {
    const client = new RawClient(t, service.port, `GET /api/realtime/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n`)
    await client.until('}')
    t.match(client.answer, /^HTTP\/1\.1 400 [^]*RTF_CREDENTIAL_TWICE/)
  })
  t.test('no credential is logged', async (t) => {
    const log = JSON.stringify(service.log.all)
    t.match(log, 'stream opened')
    for (const part of [...token.split('.').slice(1), SECRET]) t.notOk(log.includes(part))
  })
})

t.test('requests that came through the app proxy', async (t) => {
  const service = await Service.start(t, SETTINGS)
  const refusedWith = (answer: Answer, signature: string, t: Test) => {
    t.match(answer, { status: 401, code: 'RTF_BAD_SIGNATURE', challenge: 'Bearer error="invalid_token"' })
    t.notOk(signature !== '' && answer.body.includes(signature))
  }

  const letIn: Array<[name: string, query: string]> = [
    ['as they come', signed(proxied())],
    ['in another order', signed([...proxied()].reverse())],
    ['the signature first', `?signature=${signatureOf(proxied())}&${queryOf(proxied()).slice(1)}`],
    ['one name several times', signed(proxied([['extra', '1'], ['extra', '2'], ['extra', '']]))],
    ['parameters of this service', signed(proxied([['topics', 'progress,error'], ['merchantId', SHOP]]))],
    ['what has to be encoded', signed(proxied([['a b', 'c&d=e+f%é🛒'], ['[]', '/']]))],
    ['names of which one is the beginning of another', signed(proxied([['a', '1'], ['a1', '2'], ['a-', '3']]))],
    ['a minute old', signed(proxied([], { at: inSeconds(-80) }))],
    ['by a clock that is a minute ahead', signed(proxied([], { at: inSeconds(80) }))],
  ]
  for (const [name, query] of letIn) {
    t.test(`let in: ${name}`, async (t) => { t.match(await knock(t, service, {}, query), { status: 200, merchantId: SHOP }) })
  }

  const good = proxied([['extra', '1']])
  const signature = signatureOf(good)
  const without = (name: string) => good.filter(([each]) => each !== name)
  const refused: Array<[name: string, query: string]> = [
    ['another shop', signed(proxied([['extra', '1']], { shop: 'other.myshopify.com' }), signature)],
    ['another value', signed(proxied([['extra', '2']]), signature)],
    ['one value more', signed([...good, ['extra', '2']], signature)],
    ['one parameter more', signed([...good, ['more', '']], signature)],
    ['one parameter less', signed(without('extra'), signature)],
    ['another secret', signed(good, signatureOf(good, `${SECRET}!`))],
    ['in upper case', signed(good, signature.toUpperCase())],
    ['a short signature', signed(good, signature.slice(0, -2))],
    ['a long signature', signed(good, `${signature}00`)],
    ['an empty signature', signed(good, '')],
    ['a signature that is not hexadecimal', signed(good, 'g'.repeat(64))],
    ['a signature of all but the shop', signed(good, signatureOf(without('shop')))],
    ['stale', signed(proxied([], { at: inSeconds(-100) }))],
    ['from the future', signed(proxied([], { at: inSeconds(100) }))],
    ['no timestamp', signed(without('timestamp'))],
    ['a timestamp that is none', signed([...without('timestamp'), ['timestamp', `${inSeconds(0)}.0`]])],
    ['an empty timestamp', signed([...without('timestamp'), ['timestamp', '']])],
    ['two timestamps', signed([...good, ['timestamp', String(inSeconds(0))]])],
    ['no shop', signed(without('shop'))],
    ['two shops', signed([...good, ['shop', SHOP]])],
    ['a shop elsewhere', signed(proxied([], { shop: 'myshopify.com.evil.com' }))],
    ['a shop that is none', signed(proxied([], { shop: '*' }))],
  ]
  for (const [name, query] of refused) {
    t.test(`refused: ${name}`, async (t) => { refusedWith(await knock(t, service, {}, query), signature, t) })
  }

  t.test('two signatures are refused', async (t) => {
    t.match(await knock(t, service, {}, `${signed(good)}&signature=${signature}`), { status: 400, code: 'RTF_CREDENTIAL_TWICE' })
  })
  t.test('a visitor of one shop cannot have another one signed', async (t) => {
    const now = inSeconds(0)
    const asked = proxied([['a=1shop=victim.myshopify.comt', '']], { at: now })
    const resplit: Pairs = [['a', '1'], ['shop', 'victim.myshopify.com'], ['t', `logged_in_customer_id=path_prefix=/apps/acmeshop=${SHOP}`], ['timestamp', String(now)]]
    t.equal(signatureOf(resplit), signatureOf(asked), 'for they are the same to the signature')
    refusedWith(await knock(t, service, {}, signed(resplit)), signatureOf(asked), t)
  })
  t.test('nor a stale query be made fresh', async (t) => {
    const [then, now] = [inSeconds(-1_000), inSeconds(0)]
    const asked = proxied([[`tim=1timestamp=${now}zz`, '']], { at: then })
    const resplit = proxied([['tim', '1'], ['zz', `timestamp=${then}`]], { at: now })
    t.equal(signatureOf(resplit), signatureOf(asked), 'for they are the same to the signature')
    refusedWith(await knock(t, service, {}, signed(resplit)), signatureOf(asked), t)
  })
  t.test('no signature is logged', async (t) => {
    const log = JSON.stringify(service.log.all)
    t.match(log, 'stream opened')
    t.notOk(log.includes(signature))
  })
})
