import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { linesOf } from './helpers/arrivals.js'
import { Cli, CliAtTerminal } from './helpers/cli.js'
import { freePort } from './helpers/free-port.js'
import { TestRedis } from './helpers/redis.js'
import { progress, Service } from './helpers/service.js'
import { Stream } from './helpers/stream.js'
import { inSeconds, mint } from './helpers/tokens.js'

const SECRET = 's'.repeat(32)
const KEY = 'k'.repeat(32)
const COMMANDS = ['publish', 'listen', 'simulate']

type Line = { readonly event?: string, readonly connection?: string, readonly data?: Record<string, unknown>, readonly [key: string]: unknown }
const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Line)
const isOpen = (line: string) => line.startsWith('{"connection":"open"')

t.test('publish', async (t) => {
  const service = await Service.start(t, { REDIS_URL: (await TestRedis.start(t)).url, CHANNEL_PREFIX: 'other' })
  await service.log.first(({ msg }) => msg === 'subscribed')
  const env = { REALTIME_URL: service.url }
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  const publish = async (args: string[], more = {}, stdin = '') => Cli.run(t, ['publish', '--merchant', 'TEST', ...args], { ...env, ...more }, stdin)

  t.test('each of the four, by flags of its own, and any other', async (t) => {
    const events: Array<[args: string[], event: Record<string, unknown>]> = [
      [['--type', 'progress', '--po', '1', '--progress', '50'], { type: 'progress', poId: '1', progress: 50, message: '50 %' }],
      [['--type', 'progress', '--po', '1', '--progress', '0', '--message', 'm', '--eta-ms', '1200', '--workflow', 'w'], { type: 'progress', poId: '1', workflowId: 'w', progress: 0, message: 'm', etaMs: 1200 }],
      [['--type', 'stage', '--po', '1', '--stage', 'ai_parsing', '--status', 'started'], { type: 'stage', poId: '1', stage: 'ai_parsing', status: 'started', message: 'ai_parsing started' }],
      [['--type', 'completion', '--po', '1', '--stage', 's', '--confidence', '0.9', '--data', '{"lineItems":[1],"stage":"overruled"}'], { lineItems: [1], stage: 's', type: 'completion', poId: '1', confidence: 0.9 }],
      [['--type', 'error', '--po', '1', '--stage', 's', '--error', 'e'], { type: 'error', poId: '1', stage: 's', error: 'e' }],
      [['--data', '{"type":"invoice","total":12.5}'], { type: 'invoice', total: 12.5 }],
    ]
    const before = stream.events.all.length
    const ends = await Promise.all(events.map(async ([args]) => publish(args)))
    for (const [i, [, event]] of events.entries()) t.strictSame(ends[i], { code: 0, out: [`published to TEST: ${JSON.stringify(event)}`], err: [] })
    const came = (await stream.events.count(before + events.length)).slice(before).map(({ data }) => JSON.parse(data) as Record<string, unknown>)
    for (const [, event] of events) t.ok(came.some((one) => JSON.stringify({ ...one, timestamp: undefined }) === JSON.stringify(event)), JSON.stringify(event))
  })

  t.test('what is not published is said in one line, with the flag or the field', async (t) => {
    const nowhere = `http://localhost:${await freePort()}`
    const failures: Array<[args: string[], says: RegExp]> = [
      [['--type', 'progress', '--po', '1', '--progress', '101'], /progress is wrong: .* \(--progress\)$/],
      [['--type', 'stage', '--po', '1', '--stage', 's'], /(message|status) is missing \(--(message|status)\)$/],
      [['--type', 'error', '--po', '1', '--stage', 's', '--error', 'e', '--data', '{"timestamp":"now"}'], /timestamp is wrong: [^(]*$/],
      [['--type', 'a', '--merchant', ':'], /a merchant id is .* \(--merchant\)$/],
      [['--type', 'a', '--data', JSON.stringify({ a: 'x'.repeat(65_536) })], /more than 65536$/],
      [['--type', 'a', '--url', `${service.url}/x`], /the service refuses it: 404 RTF_NOT_FOUND: there is nothing at this path$/],
      [['--type', 'a', '--url', nowhere], /the service cannot be reached: connect ECONNREFUSED/],
      [['--type', 'a', '--redis', nowhere.replace('http', 'redis')], /Redis is not connected: connect ECONNREFUSED/],
    ]
    const ends = await Promise.all(failures.map(async ([args]) => publish(args)))
    for (const [i, [args, says]] of failures.entries()) {
      t.match(ends[i], { code: 1, out: { length: 0 }, err: { length: 1 } }, args.join(' ').slice(0, 80))
      t.match(ends[i]!.err[0], /^realtime-fanout: not published: /)
      t.match(ends[i]!.err[0], says)
    }
  })

  t.test('wrong usage is said in one line', async (t) => {
    const usages: Array<[args: string[], says: RegExp, env?: Record<string, string>]> = [
      [['publish', '--type', 'a'], /required option '--merchant <id>'/],
      [['publish', '--merchant', 'a', '--progress', 'half'], /--progress .* It takes a number\.$/],
      [['publish', '--merchant', 'a', '--progress', ''], /--progress .* It takes a number\.$/],
      [['publish', '--merchant', 'a', '--data', '{'], /--data .* It takes a JSON object/],
      [['publish', '--merchant', 'a', '--data', 'null'], /--data .* It takes a JSON object/],
      [['publish', '--merchant', 'a', 'stdin'], /All is said by options, or by - for stdin/],
      [['publish', '--merchant', 'a', '-', '--po', '1', '--data', '{}'], /with - the events say it all; --po, --data cannot be given/],
      [['publish', '--merchant', 'a', '--redis', 'a', '--url', 'b'], /--redis and --url are two ways; take one$/],
      [['publish', '--merchant', 'a', '--url', 'localhost:3001'], /--url takes the URL of the service/],
      [['publish', '--merchant', 'a', '--key', 'a\nb'], /--key takes no white space/],
      [['publish', '--merchant', 'a'], /--redis takes the URL of a Redis/, { REALTIME_URL: '', REDIS_URL: 'http://:secret@localhost' }],
      [['listen'], /say whom to listen to: --merchant <id>, or --token <token>$/],
      [['listen', '--merchant', 'a', '--url', 'x'], /--url takes the URL of the service/],
      [['listen', '--merchant', 'a', '--url', 'http://'], /--url takes the URL of the service/],
      [['listen', '--merchant', 'a', '--token', 'secret token'], /--token takes no white space/],
      [['listen', '--merchant', 'a', '--replay', '10001'], /--replay .* It takes a whole number, 0–10000\.$/],
      [['simulate', '--failures', '2'], /--failures .* It takes a number, 0–1\.$/],
      [['simulate', '--orders', '1.5'], /--orders .* It takes a whole number, 1–/],
    ]
    const ends = await Promise.all(usages.map(async ([args, , more]) => Cli.run(t, args, { ...env, ...more })))
    for (const [i, [args, says]] of usages.entries()) {
      t.match(ends[i], { code: 2, out: { length: 0 }, err: { length: 1 } }, args.join(' '))
      t.match(ends[i]!.err[0], says)
      t.match(ends[i]!.err[0], /^realtime-fanout: /)
      t.notMatch(ends[i]!.err[0], 'secret')
    }
  })

  t.test('from stdin, line by line, in order, beyond those that are wrong', async (t) => {
    const before = stream.events.all.length
    const right = Array.from({ length: 1_200 }, (_, i) => JSON.stringify({ type: 'custom', i }))
    const lines = [...right.slice(0, 600), 'no JSON', '', 'null', '{"type":"progress"}', ...right.slice(600)]
    const { code, out, err } = await publish(['-'], {}, lines.join('\n'))
    t.equal(code, 1)
    t.strictSame(out, right.map((event) => `published to TEST: ${event}`))
    t.strictSame(err.toSorted(), [
      'realtime-fanout: 3 of 1203 events not published', 'realtime-fanout: line 601: not published: it is no JSON',
      'realtime-fanout: line 603: not published: event is not an object', 'realtime-fanout: line 604: not published: poId is missing',
    ])
    t.equal(err.at(-1), 'realtime-fanout: 3 of 1203 events not published')
    t.strictSame((await stream.events.count(before + right.length)).slice(before).map(({ data }) => data), right)
    t.match(await publish(['-'], {}, `${right[0]}\r\n`), { code: 0, err: [] })
  })

  t.test('who reads what it prints may go, and all is published', async (t) => {
    const before = stream.events.all.length
    const bash = spawn('bash', ['-c', `yes '{"type":"many"}' | head -n 3000 | { ${process.execPath} dist/cli/main.js publish --merchant TEST -; echo $? >&2; } | head -n 1`], { env: { ...process.env, ...env, REDIS_URL: '' } })
    const err = linesOf(bash.stderr)
    await once(bash, 'close')
    t.strictSame(err.all, ['0'])
    t.equal((await stream.events.count(before + 3_000)).length, before + 3_000)
  })
})

t.test('where to', async (t) => {
  const redis = await TestRedis.start(t)
  const byRedis = await Service.start(t, { REDIS_URL: redis.url, CHANNEL_PREFIX: 'other' })
  const byHttp = await Service.start(t, { NODE_ENV: 'test', PUBLISH_KEY: KEY })
  await byRedis.log.first(({ msg }) => msg === 'subscribed')
  const streams = { redis: await Stream.open(t, byRedis.streamUrl('TEST')), http: await Stream.open(t, byHttp.streamUrl('TEST')) }
  const [REDIS_URL, CHANNEL_PREFIX, REALTIME_URL, PUBLISH_KEY] = [redis.url, 'other', byHttp.url, KEY]
  const ways: Array<[way: keyof typeof streams, args: string[], env: Record<string, string>]> = [
    ['redis', [], { REDIS_URL, CHANNEL_PREFIX }],
    ['redis', ['--redis', REDIS_URL, '--prefix', 'other'], { REALTIME_URL, PUBLISH_KEY }],
    ['http', [], { REDIS_URL, CHANNEL_PREFIX, REALTIME_URL, PUBLISH_KEY }],
    ['http', ['--url', REALTIME_URL, '--key', KEY], { REDIS_URL, CHANNEL_PREFIX }],
  ]
  for (const [n, [way, args, env]] of ways.entries()) {
    t.match(await Cli.run(t, ['publish', '--merchant', 'TEST', '--type', `way-${n}`, ...args], env), { code: 0 })
    await streams[way].events.first(({ event }) => event === `way-${n}`)
  }
  t.match(await Cli.run(t, ['publish', '--merchant', 'TEST', '--type', 'a', '--key', 'x'.repeat(32)], { REALTIME_URL }), { code: 1, err: [/401 RTF_BAD_PUBLISH_KEY/] })
  t.match(await Cli.run(t, ['publish', '--merchant', 'TEST', '--type', 'a', '--redis', REDIS_URL], { CHANNEL_PREFIX: '' }), { code: 0 }, "the service's own default")

  t.test('what comes by Redis is shown as it was published, on one line', async (t) => {
    const cli = new Cli(t, ['listen', '--merchant', 'TEST'], { REALTIME_URL: byRedis.url })
    await cli.out.first(isOpen)
    await redis.cli('PUBLISH', 'other:TEST:odd', '{\r\n  "a": 1.0,\n  "b": "\\n"\n}')
    t.match(await cli.out.next(), /^\{"event":"odd","id":"[\w.-]+","merchant":"TEST","data":\{ {3}"a": 1\.0, {3}"b": "\\n" \}\}$/)
    cli.signal('SIGINT')
    t.match(await cli.ended, { code: 0, err: [] })
  })
})

t.test('--help helps', async (t) => {
  t.match(await Cli.run(t, ['--version']), { code: 0, out: [(JSON.parse(await readFile('package.json', 'utf8')) as { version: string }).version] })
  const { out } = await Cli.run(t, ['--help'])
  for (const command of COMMANDS) t.match(out.join('\n'), new RegExp(`^ {2}${command} `, 'm'))
  t.match(await Cli.run(t, []), { code: 2, err: [/^Usage: realtime-fanout/] }, 'who does not know is told')
  t.match(await Cli.run(t, ['lissen']), { code: 2, err: ["realtime-fanout: unknown command 'lissen'", '(Did you mean listen?)'] })

  const redis = await TestRedis.start(t)
  const service = await Service.start(t, { REDIS_URL: redis.url })
  const guarded = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: SECRET })
  await service.log.first(({ msg }) => msg === 'subscribed')
  await service.publish('TEST', progress(1))
  const bin = t.testdir()
  await writeFile(`${bin}/realtime-fanout`, `#!/bin/sh\nexec '${process.execPath}' '${resolve('dist/cli/main.js')}' "$@"\n`, { mode: 0o755 })
  const env = { ...process.env, REDIS_URL: '', PATH: `${bin}:${process.env.PATH}`, REALTIME_URL: service.url, TOKEN: await mint({ merchantId: 'TEST', exp: inSeconds(60) }, SECRET) }

  const helps = await Promise.all([[], ...COMMANDS.map((command) => [command])].map(async (args) => Cli.run(t, [...args, '--help'])))
  t.ok(helps.every(({ code, err }) => code === 0 && err.length === 0))
  const examples = new Set(helps.flatMap(({ out }) => out).filter((line) => line.startsWith('  $ ')).map((line) => line.slice(4)))
  t.ok(examples.size >= 15)
  await Promise.all([...examples].map(async (example) => {
    let line = example.replace('redis://localhost:6379', redis.url).replace('http://localhost:3001', guarded.url)
    if (line.includes(' simulate')) line += ' --orders 3 --rate 1000 --speed 500'
    const endless = /^\S+ listen [^|]*$/.test(line)
    const shell = spawn('bash', ['-c', endless ? `exec ${line}` : `set -o pipefail; ${line}`], { env })
    const [out, err] = [linesOf(shell.stdout), linesOf(shell.stderr)]
    const closed = once(shell, 'close')
    if (endless) {
      await out.first(isOpen)
      shell.kill('SIGINT')
    }
    t.strictSame([(await closed)[0], err.all], [0, []], example)
    t.ok(out.all.length > 0)
  }))
})

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
    const lines = parsed(await cli.out.count(5))
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
    const lines = parsed(cli.out.all).filter(({ code }, i, all) => code === undefined || all[i - 1]!.code === undefined)
    t.match(lines, [
      { connection: 'open', merchant: 'TEST' },
      { event: 'close', merchant: 'TEST', data: { type: 'close', reason: 'draining', reconnect: true } },
      { connection: 'reconnecting', merchant: 'TEST', code: 'CONNECTION_LOST', message: /\(.*ECONNREFUSED.*\)$/ },
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
    t.match(await listen('goodbye'), { code: 1, out: [{}, '{"event":"close","merchant":"TEST","data":{"type":"close","reason":"max_age","reconnect":false}}'], err: [/the service ended the stream for good: max_age$/] })
  })

  t.test('who reads it may go; a disk that is full is an error', async (t) => {
    const service = await Service.start(t)
    const listen = `${process.execPath} dist/cli/main.js listen --merchant TEST --url ${service.url}`
    const bash = spawn('bash', ['-c', `{ ${listen}; echo $? >&2; } | head -n 1; ${listen} > /dev/full; echo $? >&2`])
    const [out, err] = [linesOf(bash.stdout), linesOf(bash.stderr)]
    await out.first(isOpen)
    // Whether it has gone, is noticed when there is something to tell.
    while (err.all.length === 0) await service.publish('TEST', progress(1))
    await once(bash, 'close')
    t.match(err.all, ['0', /^realtime-fanout: cannot print: ENOSPC/, '1'])
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
  for (const what of [/~ \d\d:\d\d:\d\d connected again/, /! TEST: what was published .* may be missing \(unknown_cursor\)/]) await cli.sees(what)
  await plain.sees(/TEST-2: connected again/)

  t.match(cli.raw, '\u001b[32m✓', 'in colour')
  // eslint-disable-next-line no-control-regex -- It is about these.
  t.notMatch(plain.raw, /\u001b\[\d+m/, 'or without')
  for (const one of [cli, plain]) one.press('Ctrl-C')
  t.strictSame(await Promise.all([cli.ended, plain.ended]), [0, 0])
  t.ok(cli.raw.lastIndexOf('\u001b[?25h') > cli.raw.lastIndexOf('\u001b[?25l'), 'the cursor is there again')
})

t.test('simulate', async (t) => {
  const service = await Service.start(t)
  const env = { REALTIME_URL: service.url }

  t.test('orders of several merchants; the same again with the same seed', async (t) => {
    const what = async () => {
      const listener = new Cli(t, ['listen', '--merchant', 'TEST', '--merchant', 'TEST-2', '--topics', 'stage,completion,error'], env)
      await listener.out.count(2, isOpen)
      const { code, out, err } = await Cli.run(t, ['simulate', '--merchants', '2', '--orders', '6', '--rate', '1000', '--speed', '200', '--failures', '0.5', '--seed', '7'], env)
      t.strictSame([code, err], [0, []])
      t.match(out, [/^6 orders: \d completed, \d failed; \d+ events published in \d s \(--seed 7\)$/])
      const ends = await listener.out.count(6, (line) => line.includes('"error"') || line.includes('"completion","stage":"saving"'))
      const events = parsed(listener.out.all).filter(({ event }) => event !== undefined)
      t.ok(ends.some((line) => line.includes('"merchant":"TEST-2"')) && ends.some((line) => line.includes('"event":"error"')))
      listener.signal('SIGINT')
      await listener.ended
      return events.map(({ merchant, data }) => JSON.stringify([merchant, { ...data, timestamp: 0 }])).toSorted()
    }
    t.strictSame(await what(), await what())
  })

  t.test('counts at a terminal', async (t) => {
    const cli = new CliAtTerminal(t, ['simulate', '--orders', '2', '--rate', '1000', '--speed', '20', '--failures', '0'], env)
    await cli.sees(/2 of 2 orders: ▸ 2 running, ✓ 0 completed, ✗ 0 failed; \d+ events published/)
    t.equal(await cli.ended, 0)
    t.match(cli.text, /2 orders: 2 completed, 0 failed; \d+ events published in \d s \(--seed \d+\)\s*$/)
  })

  t.test('Ctrl-C stops it: whoever listens is told', async (t) => {
    const stream = await Stream.open(t, service.streamUrl('TEST'))
    const cli = new Cli(t, ['simulate', '--orders', '20', '--rate', '5'], env)
    await stream.events.first(({ event }) => event === 'progress')
    cli.signal('SIGINT')
    const { code, out, err } = await cli.ended
    t.equal(code, 130)
    t.strictSame(err, ['realtime-fanout: stopping; again stops at once'])
    const [, started, stopped] = /^(\d+) orders: 0 completed, 0 failed, (\d+) stopped; /.exec(out[0]!)!
    t.equal(started, stopped)
    const told = await stream.events.count(Number(started), ({ event }) => event === 'error')
    t.match(told[0]!.data, '"error":"the simulation was stopped"')
  })

  t.test('a second one stops it at once, whatever it waits for', async (t) => {
    const deaf = createServer(() => {}).listen(0, '127.0.0.1')
    t.teardown(() => { deaf.closeAllConnections(); deaf.close() })
    await once(deaf, 'listening')
    const asked = once(deaf, 'request')
    const cli = new Cli(t, ['simulate', '--url', `http://127.0.0.1:${(deaf.address() as AddressInfo).port}`])
    await asked
    cli.signal('SIGTERM')
    await cli.err.first((line) => line.includes('stopping'))
    cli.signal('SIGTERM')
    t.match(await cli.ended, { code: 130, out: [] })
  })

  t.test('a target that takes nothing ends it; one that goes on does not', async (t) => {
    t.match(await Cli.run(t, ['simulate', '--url', `${service.url}/x`]), { code: 1, out: [/^\d+ orders: .* stopped; 0 events published \(\d+ were not\)/], err: [/^realtime-fanout: not published: the service refuses it: 404/] })

    const passing = await Service.start(t, { MAX_MESSAGE_BYTES: '400' })
    const { code, out, err } = await Cli.run(t, ['simulate', '--orders', '2', '--rate', '1000', '--speed', '100', '--failures', '0', '--seed', '2', '--url', passing.url])
    t.strictSame([code, err.length], [1, 1])
    t.match(out, [/^2 orders: 2 completed, 0 failed; \d\d+ events published \(\d were not\)/])
    t.match(err, [/413 RTF_EVENT_TOO_LARGE/])
  })
})
