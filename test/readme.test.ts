import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { Service, progress } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

const run = promisify(execFile)

t.test('"Who may listen" can be pasted', async (t) => {
  const readme = await readFile('README.md', 'utf8')
  const [, block] = /## Who may listen\n.*?```sh\n(.*?)```/s.exec(readme)!
  const [start, secret] = /^export JWT_SECRET=(\S+)$/m.exec(block!)!
  const service = await Service.start(t, { AUTH_MODE: 'jwt', JWT_SECRET: secret! })
  const paste = async (line: RegExp) => {
    const commands = [start, /^TOKEN=.*$/m.exec(block!)![0], line.exec(block!)![0].replace('http://localhost:3001', service.url)]
    const { stdout } = await run('bash', ['-euc', commands.join('\n')])
    return stdout
  }

  t.test('the ticket opens a stream', async (t) => {
    const { url } = JSON.parse(await paste(/^curl -X POST .*$/m)) as { url: string }
    const stream = await Stream.open(t, new URL(url, service.url).href)
    await service.publish('TEST', progress(1))
    t.equal((await stream.published(1)).length, 1)
  })

  t.test('so does the token', async (t) => {
    const listening = paste(/^curl -N .*$/m)
    await service.log.count(2, ({ msg }) => msg === 'stream opened')
    service.signal('SIGINT')
    const text = await listening
    t.match(text, '"type":"connected","merchantId":"TEST"')
    t.match(text, '"type":"close","reason":"draining"')
  })
})
