import t from 'tap'
import { Service, progress } from './helpers/service.js'

const APP = 'https://app.example.com'
const EVIL = 'https://app.example.com.evil.example'

async function from (service: Service, origin: string | undefined, init: RequestInit = {}) {
  const abort = new AbortController()
  const answer = await fetch(service.streamUrl('TEST'), { ...init, headers: { ...init.headers, ...(origin === undefined ? {} : { origin }) }, signal: abort.signal })
  abort.abort()
  return { status: answer.status, allowed: answer.headers.get('access-control-allow-origin'), credentials: answer.headers.get('access-control-allow-credentials'), vary: answer.headers.get('vary'), exposed: answer.headers.get('access-control-expose-headers') }
}

t.test('CORS_ORIGINS', async (t) => {
  const service = await Service.start(t, { CORS_ORIGINS: `${APP},https://admin.example.com` })
  t.match(await from(service, APP), { status: 200, allowed: APP, credentials: 'true', vary: /origin/i, exposed: 'Retry-After' })
  t.match(await from(service, 'https://admin.example.com'), { status: 200, allowed: 'https://admin.example.com' })
  for (const origin of [EVIL, 'http://app.example.com', `${APP}:8443`, 'null', 'http://localhost:5173', 'x']) {
    t.match(await from(service, origin), { status: 403, allowed: null }, origin)
  }
  t.match(await from(service, undefined), { status: 200, allowed: null }, 'what is no web page has no origin')
  t.match(await from(service, service.url), { status: 200, allowed: null }, "the service's own pages are not foreign")
  t.equal((await service.publish('TEST', progress(1), { origin: EVIL })).status, 403)

  const preflight = { method: 'OPTIONS', headers: { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' } }
  t.match(await from(service, APP, preflight), { status: 204, allowed: APP, credentials: 'true' })
  t.match(await from(service, EVIL, preflight), { allowed: null })
  t.equal(await service.metric('connections_rejected_total{reason="forbidden"}'), 6)
})

t.test('without CORS_ORIGINS', async (t) => {
  t.test('pages of this machine may use it in development', async (t) => {
    const service = await Service.start(t)
    for (const origin of ['http://localhost:5173', 'https://localhost', 'http://127.0.0.1:8080', 'http://[::1]:3000', 'http://app.localhost:3000']) {
      t.match(await from(service, origin), { status: 200, allowed: origin })
    }
    for (const origin of [APP, 'http://localhost.evil.example', 'http://evil-localhost:80', 'http://127.0.0.1.evil.example', 'file://', 'null']) {
      t.match(await from(service, origin), { status: 403, allowed: null }, origin)
    }
  })

  t.test('and no foreign page at all elsewhere', async (t) => {
    const service = await Service.start(t, { NODE_ENV: 'test' })
    t.match(await from(service, 'http://localhost:5173'), { status: 403, allowed: null })
    t.match(await from(service, undefined), { status: 200 })
  })
})
