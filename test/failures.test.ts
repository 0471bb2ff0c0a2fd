import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import Fastify from 'fastify'
import t from 'tap'
import { AuthAway } from '../src/errors.js'
import { answerBadHttp, failures } from '../src/routes/failures.js'

/* How a request is told that it took too long, without taking that long. All else is tested through the front door. */

t.test('what is no request yet is answered with a status, a code and the end', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  const answered = async (code: string) => {
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const [socket] = await once(server, 'connection') as [Socket]
    answerBadHttp(Object.assign(new Error(code), { code }), socket)
    return text(client)
  }
  const [head, body] = (await answered('ERR_HTTP_REQUEST_TIMEOUT')).split('\r\n\r\n')
  t.match(head, /^HTTP\/1\.1 408 Request Timeout\r\n/)
  t.match(JSON.parse(body!), { statusCode: 408, code: 'RTF_REQUEST_TIMEOUT', error: 'Request Timeout', message: String })
  t.equal(await answered('ECONNRESET'), '', 'who has gone is told nothing')
})

t.test('that credentials cannot be checked just now is no fault of this service, and passes', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(failures)
  app.get('/', async () => { throw new AuthAway() })
  const { statusCode, headers, body } = await app.inject('/')
  t.equal(statusCode, 503)
  t.ok(headers['retry-after'])
  t.match(JSON.parse(body), { statusCode: 503, code: 'RTF_AUTH_AWAY' })
})
