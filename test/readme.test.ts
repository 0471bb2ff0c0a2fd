import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { Service } from './helpers/service.js'

const run = promisify(execFile)

t.test('"Who may listen" can be pasted', async (t) => {
  const readme = await readFile('README.md', 'utf8')
  const [, block] = /## Who may listen\n.*?in another terminal.*?```sh\n(.*?)```/s.exec(readme)!
  const [, secret] = /^export JWT_SECRET=(\S+)$/m.exec(block!)!
  const service = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: secret! })
  const lines = block!.trimEnd().replaceAll('http://localhost:3001', service.url).split('\n')
  const commands = lines.filter((line) => !line.startsWith('curl'))
  const streams = lines.filter((line) => line.startsWith('curl'))
  t.equal(streams.length, 2)

  const listening = streams.map(async (stream) => run('bash', ['-euc', [...commands, stream].join('\n')]))
  await service.log.count(2, ({ msg }) => msg === 'stream opened')
  service.signal('SIGINT')
  for (const { stdout } of await Promise.all(listening)) {
    t.match(stdout, '"type":"connected","merchantId":"TEST"')
    t.match(stdout, '"type":"close","reason":"draining"')
  }
})
