import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { linesOf } from './helpers/arrivals.js'
import { Cli } from './helpers/cli.js'
import { freePort } from './helpers/free-port.js'
import { NODE } from './helpers/node.js'
import { TestRedis } from './helpers/redis.js'
import { Service } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

const KEY = 'k'.repeat(32)

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
      [['--po', '1', '--url', ''], /type is missing \(--type\)$/],
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
    const bash = spawn('bash', ['-c', `yes '{"type":"many"}' | head -n 3000 | { ${NODE.join(' ')} dist/cli/main.js publish --merchant TEST -; echo $? >&2; } | head -n 1`], { env: { ...process.env, ...env, REDIS_URL: '' } })
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
  await Promise.all(ways.map(async ([way, args, env], n) => {
    t.match(await Cli.run(t, ['publish', '--merchant', 'TEST', '--type', `way-${n}`, ...args], env), { code: 0 })
    await streams[way].events.first(({ event }) => event === `way-${n}`)
  }))
  t.match(await Cli.run(t, ['publish', '--merchant', 'TEST', '--type', 'a', '--key', 'x'.repeat(32)], { REALTIME_URL }), { code: 1, err: [/401 RTF_BAD_PUBLISH_KEY/] })
  t.match(await Cli.run(t, ['publish', '--merchant', 'TEST', '--type', 'a', '--redis', REDIS_URL], { CHANNEL_PREFIX: '' }), { code: 0 }, "the service's own default")
})
