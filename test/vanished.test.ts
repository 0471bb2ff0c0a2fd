import { spawn } from 'node:child_process'
import t, { type Test } from 'tap'
import { linesOf } from './helpers/arrivals.js'
import { Namespace } from './helpers/namespace.js'
import { RawClient } from './helpers/raw.js'
import { Service, progress, type Environment, type LogLine } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

/*
 * Clients that are gone and have not said so: their machine lost its power, or its network. Nothing but silence tells of
 * it, and an SSE client is silent anyway.
 */

const CLIENTS = 20
const REQUEST = 'GET /api/realtime/events?merchantId=TEST HTTP/1.1\r\nHost: x\r\n\r\n'
/** In events none of which supersedes another. */
const megabyte = Array.from({ length: 100 }, (_, i) => progress(i, { poId: `po-${i}`, message: 'x'.repeat(10_000) }))
const isClosed = ({ msg }: LogLine) => msg === 'stream closed'

const whyNot = await Namespace.whyNot()
if (whyNot !== undefined) t.comment(`CLIENTS THAT VANISH ARE NOT TESTED, BUT FOR THOSE THAT STOP: ${whyNot}`)

const skip = whyNot ?? false

interface Scene {
  readonly service: Service
  /** Takes all clients away. */
  readonly vanish: () => Promise<void>
}

/** @param retries when the server's kernel gives up: Linux's default, if not given. */
async function scene (t: Test, env: Environment, retries?: number): Promise<Scene> {
  const namespace = await Namespace.make(t)
  if (retries !== undefined) await namespace.giveUpAfter(retries)
  const { host, doomed: localAddress } = namespace
  const service = await Service.start(t, { HOST: host, HEARTBEAT_MS: '500', ...env }, undefined, namespace.launcher)
  const clients = Array.from({ length: CLIENTS }, () => new RawClient(t, service.port, REQUEST, { host, localAddress }))
  await Promise.all(clients.map((client) => client.until('connected')))
  return { service, vanish: async () => namespace.vanish() }
}

/** Waits until the service has noticed that all are gone, and looks whether anything of them is left. */
async function areForgotten (t: Test, service: Service, reason: string): Promise<void> {
  const vanishedAt = performance.now()
  const closed = await service.log.count(CLIENTS, isClosed)
  t.comment(`found after ${((performance.now() - vanishedAt) / 1_000).toFixed(1)} s`)
  t.strictSame(new Set(closed.map(({ reason }) => reason)), new Set([reason]))
  const opened = service.log.all.filter(({ msg }) => msg === 'stream opened').length
  t.equal(await service.metric('connections'), opened - CLIENTS)
  t.equal(await service.metric('write_buffer_bytes'), 0)
  const sockets = await service.resources('TCPSocketWrap')
  t.ok(sockets < CLIENTS / 2, `${sockets} sockets are left: of this test's own requests`)
  const late = await Stream.open(t, service.streamUrl('TEST'))
  await service.publish('TEST', progress(1))
  t.equal((await late.published(1)).length, 1)
}

t.test('heartbeats that nobody acknowledges tell the kernel, which gives up after tcp_retries2', { skip }, async (t) => {
  const { service, vanish } = await scene(t, {}, 3)
  const witness = await Stream.open(t, service.streamUrl('TEST'))
  await vanish()
  await service.publish('TEST', progress(1))
  t.equal((await witness.published(1)).length, 1, 'who is there is served meanwhile')
  await areForgotten(t, service, 'client_gone')
  t.equal((await witness.published(2)).length, 2, 'and afterwards')
})

t.test('MAX_CONNECTION_AGE_S bounds how long they are held, however patient the kernel is', { skip }, async (t) => {
  const { service, vanish } = await scene(t, { MAX_CONNECTION_AGE_S: '2' })
  await vanish()
  await areForgotten(t, service, 'max_age')
})

t.test('MAX_BUFFERED_BYTES bounds what they are owed', { skip }, async (t) => {
  const { service, vanish } = await scene(t, { MAX_BUFFERED_BYTES: '65536' })
  await vanish()
  while (await service.metric('slow_consumers_total') < CLIENTS) await service.publish('TEST', megabyte)
  await areForgotten(t, service, 'slow_consumer')
})

t.test('a client whose process has stopped', async (t) => {
  const table: Array<[name: string, env: Environment, reason: string]> = [
    ['is cut off when it is owed too much', { MAX_BUFFERED_BYTES: '65536' }, 'slow_consumer'],
    ['is cut off when its time is up', { MAX_BUFFERED_BYTES: '1000000000', MAX_CONNECTION_AGE_S: '2' }, 'max_age'],
  ]
  for (const [name, env, reason] of table) {
    t.test(name, async (t) => {
      const service = await Service.start(t, env)
      const client = spawn('node', ['-e', `require('net').connect(${service.port}, '127.0.0.1').on('data', (data) => console.log(String(data))).write(${JSON.stringify(REQUEST)})`], { stdio: ['ignore', 'pipe', 'inherit'] })
      t.teardown(() => { client.kill('SIGKILL') })
      await linesOf(client.stdout).first((line) => line.includes('connected'))
      client.kill('SIGSTOP')
      while (await service.metric('connections') > 0) await service.publish('TEST', megabyte)
      t.match(await service.log.first(isClosed), { reason })
      t.equal(await service.metric('write_buffer_bytes'), 0)
    })
  }
})
