import t from 'tap'
import { buildApp } from '../src/app.js'
import type { Broker } from '../src/broker/broker.js'
import { MemoryBroker } from '../src/broker/memory.js'
import { loadConfig } from '../src/config.js'
import { createLog } from '../src/log.js'
import { progress } from './helpers/service.js'

t.test('what is the fault of the service itself is logged, at most once a second, and not shown', async (t) => {
  const lines: string[] = []
  const log = createLog('info', { write: (line) => { lines.push(line) } })
  class Faulty extends MemoryBroker implements Broker {
    override async publish (): Promise<void> {
      throw new TypeError('a fault with a secret in it')
    }
  }
  const { server } = await buildApp(loadConfig({ DRAIN_DELAY_MS: '0' }), { log, broker: new Faulty() })
  t.teardown(() => server.close())
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  lines.length = 0
  for (let i = 0; i < 20; i++) {
    const answer = await fetch(`${url}/api/realtime/merchants/TEST/events?key=hidden`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(progress(1)) })
    t.equal(answer.status, 500)
    t.strictSame(await answer.json(), { statusCode: 500, code: 'RTF_INTERNAL', error: 'Internal Server Error', message: 'something went wrong here' })
  }
  t.ok(lines.length >= 1 && lines.length <= 3)
  t.match(JSON.parse(lines[0]!), { level: 50, err: { message: 'a fault with a secret in it' }, req: { method: 'POST', path: '/api/realtime/merchants/TEST/events' } })
  t.notMatch(lines.join(''), 'hidden')
})
