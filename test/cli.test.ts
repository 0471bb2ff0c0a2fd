import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import t from 'tap'
import { linesOf } from './helpers/arrivals.js'
import { Cli, isOpen } from './helpers/cli.js'
import { NODE } from './helpers/node.js'
import { TestRedis } from './helpers/redis.js'
import { progress, Service } from './helpers/service.js'
import { inSeconds, mint } from './helpers/tokens.js'

const SECRET = 's'.repeat(32)
const COMMANDS = ['publish', 'listen', 'simulate']

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
  await writeFile(`${bin}/realtime-fanout`, `#!/bin/sh\nexec ${NODE.join(' ')} '${resolve('dist/cli/main.js')}' "$@"\n`, { mode: 0o755 })
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
    [['publish', '--merchant', 'a'], /--redis takes the URL of a Redis/, { REDIS_URL: 'http://:secret@localhost' }],
    [['listen'], /say whom to listen to: --merchant <id>, or --token <token>$/],
    [['listen', '--merchant', 'a', '--url', 'x'], /--url takes the URL of the service/],
    [['listen', '--merchant', 'a', '--url', 'http://'], /--url takes the URL of the service/],
    [['listen', '--merchant', 'a', '--token', 'secret token'], /--token takes no white space/],
    [['listen', '--merchant', 'a', '--replay', '10001'], /--replay .* It takes a whole number, 0–10000\.$/],
    [['simulate', '--failures', '2'], /--failures .* It takes a number, 0–1\.$/],
    [['simulate', '--orders', '1.5'], /--orders .* It takes a whole number, 1–/],
  ]
  const ends = await Promise.all(usages.map(async ([args, , more]) => Cli.run(t, args, more)))
  for (const [i, [args, says]] of usages.entries()) {
    t.match(ends[i], { code: 2, out: { length: 0 }, err: { length: 1 } }, args.join(' '))
    t.match(ends[i]!.err[0], says)
    t.match(ends[i]!.err[0], /^realtime-fanout: /)
    t.notMatch(ends[i]!.err[0], 'secret')
  }
})
