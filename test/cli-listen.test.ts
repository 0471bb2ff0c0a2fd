import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { linesOf } from './helpers/arrivals.js'
import { Cli, CliAtTerminal, eventsOf, isOpen } from './helpers/cli.js'
import { freePort } from './helpers/free-port.js'
import { NODE } from './helpers/node.js'
import { TestRedis } from './helpers/redis.js'
import { progress, Service } from './helpers/service.js'
import { inSeconds, mint } from './helpers/tokens.js'

const SECRET = 's'.repeat(32)

t.test('listen, piped', async (t) => {
  t.test('a JSON line for each event, of all merchants, from as far back as asked for, of the topics asked for', async (t) => {
    const service = await Service.start(t)
    const env = { REALTIME_URL: `${service.url}/` }
    for (const n of [1, 2, 3]) await service.publish('a', progress(n))
    await service.publish('a', { type: 'custom' })
    const cli = new Cli(t, ['listen', '--merchant', 'a', '--merchant', 'b', '--merchant', 'a', '--replay', '2', '--topics', 'progress,error'], env)
    await cli.out.count(2, isOpen)
    await service.publish('b', { type: 'custom' })
    await service.publish('b', { type: 'error', stage: 's', poId: '1', error: 'e', timestamp: 1 })
    const lines = eventsOf(await cli.out.count(5))
    t.strictSame(lines.filter(({ event }) => event === 'progress').map(({ merchant, data }) => [merchant, data!.message]), [['a', 'step 2'], ['a', 'step 3']])
    t.match(lines.at(-1), { event: 'error', id: /^\d+\.[\w-]+\.[\w-]+$/, merchant: 'b', data: { type: 'error', error: 'e', timestamp: 1 } })
    t.strictSame(Object.keys(lines.at(-1)!), ['event', 'id', 'merchant', 'data'])
    cli.signal('SIGTERM')
    t.match(await cli.ended, { code: 0, out: { length: 5 }, err: [] })
  })

  t.test('a service that goes and returns: close, reconnecting, open, gap', async (t) => {
    const PORT = String(await freePort())
    const first = await Service.start(t, { PORT, RETRY_MS: '20' })
    const cli = new Cli(t, ['listen', '--merchant', 'TEST'], { REALTIME_URL: first.url })
    await cli.out.first(isOpen)
    await first.stop()
    await cli.out.first((line) => line.includes('ECONNREFUSED'))
    await Service.start(t, { PORT })
    await cli.out.first((line) => line.startsWith('{"event":"gap"'))
    cli.signal('SIGINT')
    t.match(await cli.ended, { code: 0, err: [] })
    // How often it asks in vain, and is sent away again, is a matter of time.
    const lines = eventsOf(cli.out.all).filter(({ event, connection }, i, all) => event !== all[i - 1]?.event || connection !== all[i - 1]?.connection)
    t.match(lines, [
      { connection: 'open', merchant: 'TEST' },
      { event: 'close', merchant: 'TEST', data: { type: 'close', reason: 'draining', reconnect: true } },
      { connection: 'reconnecting', merchant: 'TEST', code: 'CONNECTION_LOST', message: /\(.*ECONN(REFUSED|RESET).*\)$/ },
      { connection: 'open', merchant: 'TEST' },
      { event: 'gap', merchant: 'TEST', data: { type: 'gap', reason: 'unknown_cursor', from: Number, to: Number } },
    ])
  })

  t.test('a stream that is refused ends it, with the reason', async (t) => {
    const service = await Service.start(t)
    const guarded = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: SECRET })
    const other = await mint({ merchantId: 'other', exp: inSeconds(60) }, SECRET)
    const refusals: Array<[args: string[], says: RegExp]> = [
      [['--merchant', ':', '--url', service.url], /^realtime-fanout: no stream: 400 RTF_BAD_MERCHANT_ID: /],
      [['--merchant', 'TEST', '--topics', '*', '--url', service.url], /^realtime-fanout: no stream: 400 RTF_BAD_TOPICS: topics is /],
      [['--merchant', 'TEST', '--url', guarded.url], /no stream: 401 RTF_CREDENTIAL_MISSING: /],
      [['--token', 'x', '--url', guarded.url], /no stream: 401 RTF_BAD_TOKEN: /],
      [['--merchant', 'TEST', '--token', other, '--url', guarded.url], /no stream: 403 RTF_FOREIGN_MERCHANT: /],
      [['--merchant', 'TEST', '--url', `${service.url}/x`], /no stream: 404 RTF_NOT_FOUND: /],
    ]
    const ends = await Promise.all(refusals.map(async ([args]) => Cli.run(t, ['listen', ...args])))
    for (const [i, [, says]] of refusals.entries()) t.match(ends[i], { code: 1, out: [], err: [says] })
    const token = new Cli(t, ['listen'], { REALTIME_URL: guarded.url, REALTIME_TOKEN: other })
    t.equal(await token.out.first(isOpen), '{"connection":"open"}', 'a token says which merchant')
  })

  t.test('a service that is another, or wants it to stay away', async (t) => {
    const answers: Record<string, (response: ServerResponse) => void> = {
      page: (response) => { response.writeHead(200, { 'content-type': 'text/html' }).end('hello') },
      goodbye: (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
          .end('data: {"type":"connected"}\n\nevent: close\ndata: {"type":"close","reason":"max_age","reconnect":false}\n\n')
      },
    }
    const server = createServer(({ url }, response) => { answers[url!.split('/')[1]!]!(response) }).listen(0, '127.0.0.1')
    t.teardown(() => { server.close() })
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const listen = async (path: string) => Cli.run(t, ['listen', '--merchant', 'TEST', '--url', `${url}/${path}`])
    t.match(await listen('page'), { code: 1, out: [], err: [/no stream: 200 NOT_A_STREAM: .*text\/html/] })
    t.match(await listen('goodbye'), { code: 1, out: [/open/, '{"event":"close","merchant":"TEST","data":{"type":"close","reason":"max_age","reconnect":false}}'], err: [/the service ended the stream for good: max_age$/] })
  })

  t.test('who reads it may go; a disk that is full is an error', async (t) => {
    const service = await Service.start(t)
    const listen = `${NODE.join(' ')} dist/cli/main.js listen --merchant TEST --url ${service.url}`
    const bash = spawn('bash', ['-c', `{ ${listen}; echo $? >&2; } | head -n 1; ${listen} > /dev/full; echo $? >&2`])
    const [out, err] = [linesOf(bash.stdout), linesOf(bash.stderr)]
    await out.first(isOpen)
    // Whether it has gone, is noticed when there is something to tell.
    while (err.all.length === 0) await service.publish('TEST', progress(1))
    await once(bash, 'close')
    t.match(err.all, ['0', /^realtime-fanout: cannot print: ENOSPC/, '1'])
  })

  t.test('what comes by Redis is shown as it was published, on one line', async (t) => {
    const redis = await TestRedis.start(t)
    const service = await Service.start(t, { REDIS_URL: redis.url })
    await service.log.first(({ msg }) => msg === 'subscribed')
    const cli = new Cli(t, ['listen', '--merchant', 'TEST'], { REALTIME_URL: service.url })
    await cli.out.first(isOpen)
    await redis.cli('PUBLISH', 'merchant:TEST:odd', '{\r\n  "a": 1.0,\n  "b": "\\n"\n}')
    t.match(await cli.out.first((line) => line.startsWith('{"event":"odd"')), /^\{"event":"odd","id":"[\w.-]+","merchant":"TEST","data":\{ {3}"a": 1\.0, {3}"b": "\\n" \}\}$/)
    cli.signal('SIGINT')
    t.match(await cli.ended, { code: 0, err: [] })
  })
})

t.test('listen, at a terminal', async (t) => {
  const PORT = String(await freePort())
  const first = await Service.start(t, { PORT, RETRY_MS: '20' })
  const env = { REALTIME_URL: first.url }
  const cli = new CliAtTerminal(t, ['listen', '--merchant', 'TEST'], env)
  const plain = new CliAtTerminal(t, ['listen', '--merchant', 'TEST', '--merchant', 'TEST-2'], { ...env, NO_COLOR: '1' }, '')
  await Promise.all([cli, plain].map(async (one) => one.sees(/● connected to/)))

  await first.publish('TEST', [{ type: 'stage', stage: 'matching', poId: 'PO-1', status: 'started', message: 'm' }, progress(40, { poId: 'PO-1', etaMs: 8_000 })])
  await cli.sees(/▸ PO-1 +█+░+ {2}40% ~8 s +matching +step 40/)
  await plain.sees(/▸ TEST\/PO-1 +█+░+ {2}40% ~8 s/)
  await first.publish('TEST', [progress(100, { poId: 'PO-1' }), { type: 'error', stage: 'saving', poId: 'PO-2', error: 'no such SKU' }, { type: 'invoice', total: 1 }])
  for (const what of [/✓ PO-1 +█+ 100% in 1 s/, /✗ PO-2 +░+ {3}0% in 1 s +saving +no such SKU/, /· invoice \{"type":"invoice","total":1\}/, /, 0 running, 1 done, 1 failed/]) await cli.sees(what)

  await first.stop()
  for (const what of [/~ \d\d:\d\d:\d\d the service ends the stream \(draining\)/, /○ reconnecting to /, /~ \d\d:\d\d:\d\d the connection .*ECONNREFUSED/]) await cli.sees(what)
  await plain.sees(/~ \d\d:\d\d:\d\d TEST-2: the service ends/)
  await Service.start(t, { PORT })
  for (const what of [/~ \d\d:\d\d:\d\d connected again/, /! what was published .* may be missing \(unknown_cursor\)/]) await cli.sees(what)
  for (const what of [/TEST-2: connected again/, /! TEST-2: what was published/]) await plain.sees(what)

  t.match(cli.raw, '\u001b[32m✓', 'in colour')
  // eslint-disable-next-line no-control-regex -- It is about these.
  t.notMatch(plain.raw, /\u001b\[\d+m/, 'or without')
  const guarded = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: SECRET })
  const byToken = new CliAtTerminal(t, ['listen', '--url', guarded.url], { REALTIME_TOKEN: await mint({ merchantId: 'TEST', exp: inSeconds(60) }, SECRET) })
  await byToken.sees(/● connected to http:[^ ]+, 0 running/)
  for (const one of [cli, plain, byToken]) one.press('Ctrl-C')
  t.strictSame(await Promise.all([cli.ended, plain.ended, byToken.ended]), [0, 0, 0])
  t.ok(cli.raw.lastIndexOf('\u001b[?25h') > cli.raw.lastIndexOf('\u001b[?25l'), 'the cursor is there again')
})
