import t, { type Test } from 'tap'
import { Service } from './helpers/service.js'
import { Stream, type StreamOptions } from './helpers/stream.js'
import { inSeconds, mint } from './helpers/tokens.js'

const SECRET = 's'.repeat(32)

/** Sees a stream end for its credential, not before that runs out, and within a second after. */
async function endsWith (t: Test, service: Service, expiresAt: number, url: string, options: StreamOptions = {}): Promise<void> {
  const stream = await Stream.open(t, url, options)
  const closed = await service.log.first(({ msg, reason }) => msg === 'stream closed' && reason === 'token_expired')
  await stream.closed
  const { event, data } = stream.events.all.at(-1)!
  t.equal(event, 'close')
  t.equal(data, '{"type":"close","reason":"token_expired","reconnect":true}')
  t.equal(stream.retries.length, 2, 'preceded by a retry')
  const late = Number(closed.time) - expiresAt
  t.ok(late >= 0 && late < 1_000, `${late} ms late`)
  t.equal(await service.metric('connections_closed_total{reason="token_expired"}'), 1)
}

t.test('a stream ends when its credential runs out', async (t) => {
  t.test('a token', async (t) => {
    const service = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: SECRET })
    const exp = inSeconds(2)
    await endsWith(t, service, exp * 1_000, `${service.url}/api/realtime/events`, { headers: { authorization: `Bearer ${await mint({ merchantId: 'TEST', exp }, SECRET)}` } })
  })

  t.test('a token that a ticket was got for', async (t) => {
    const service = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: SECRET })
    const exp = inSeconds(2)
    const answer = await fetch(`${service.url}/api/realtime/ticket`, { method: 'POST', headers: { authorization: `Bearer ${await mint({ merchantId: 'TEST', exp }, SECRET)}` } })
    const { url } = await answer.json() as { url: string }
    await endsWith(t, service, exp * 1_000, new URL(url, answer.url).href)
  })
})

t.test('a stream by a ticket of a Shopify session outlives the session token', async (t) => {
  const service = await Service.start(t, { AUTH_MODE: 'shopify', SHOPIFY_API_KEY: 'key', SHOPIFY_API_SECRET: SECRET, MAX_CONNECTION_AGE_S: '3' })
  const shop = 'https://example.myshopify.com'
  const token = await mint({ iss: `${shop}/admin`, dest: shop, aud: 'key', nbf: inSeconds(-58), exp: inSeconds(1) }, SECRET)
  const answer = await fetch(`${service.url}/api/realtime/ticket`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  const { url } = await answer.json() as { url: string }
  const stream = await Stream.open(t, new URL(url, answer.url).href)
  await stream.closed
  t.equal(stream.events.all.at(-1)!.data, '{"type":"close","reason":"max_age","reconnect":true}')
})

t.test('an expiry beyond all deadlines is none', async (t) => {
  const service = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: SECRET, MAX_CONNECTION_AGE_S: '2' })
  const stream = await Stream.open(t, `${service.url}/api/realtime/events`, { headers: { authorization: `Bearer ${await mint({ merchantId: 'TEST', exp: 1e300 }, SECRET)}` } })
  await stream.closed
  t.equal(stream.events.all.at(-1)!.data, '{"type":"close","reason":"max_age","reconnect":true}')
})

t.test('a ticket that is presented while nobody is let in is not used up', async (t) => {
  const service = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: SECRET, MAX_CONNECTIONS: '1' })
  const authorization = `Bearer ${await mint({ merchantId: 'TEST', exp: inSeconds(60) }, SECRET)}`
  const first = await Stream.open(t, `${service.url}/api/realtime/events`, { headers: { authorization } })
  const answer = await fetch(`${service.url}/api/realtime/ticket`, { method: 'POST', headers: { authorization } })
  const url = new URL((await answer.json() as { url: string }).url, answer.url).href
  const refused = await Stream.request(t, url)
  await refused.closed
  t.equal(refused.events.all[0]!.data, '{"type":"close","reason":"over_capacity","reconnect":true}')
  first.close()
  await service.log.first(({ msg }) => msg === 'stream closed')
  t.equal((await Stream.open(t, url)).status, 200)
})
