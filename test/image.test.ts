import { readFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { Environment } from '../src/config.js'
import { Container } from './helpers/container.js'
import { faultsOf, stagesOf } from './helpers/dockerfile.js'
import { freePort } from './helpers/free-port.js'
import { dockerIgnores, Image } from './helpers/image.js'
import { TestRedis } from './helpers/redis.js'
import { Stream } from './helpers/stream.js'
import { inSeconds, mint } from './helpers/tokens.js'

/*
 * The image, where no Docker engine runs: its rules are read in the Dockerfile, what its steps do is done in a temporary
 * folder, and what that makes is started as a container would be.
 */

const SECRET = 'a-secret-of-at-least-32-characters'
/** More would be something that production does not need. */
const MAX_MEGABYTES = 45

const dockerfile = await readFile('Dockerfile', 'utf8')
const ignores = await dockerIgnores()

t.test('the Dockerfile keeps the rules', async (t) => {
  t.strictSame(faultsOf(dockerfile, ignores), [])
  t.equal(stagesOf(dockerfile).at(-1)!.last('EXPOSE')!.text, String(Environment.properties.PORT.default))
})

t.test('one that breaks a rule is found out', async (t) => {
  const broken: ReadonlyArray<readonly [from: string | RegExp, to: string, fault: string]> = [
    ['FROM debian:bookworm-slim', 'FROM debian', 'debian has no tag that says what it is'],
    ['FROM debian:bookworm-slim', 'FROM debian:latest', 'debian:latest has no tag that says what it is'],
    [/^[^]*FROM debian/, 'FROM debian', 'there is one stage only'],
    ['RUN npm ci --ignore', 'RUN npm install --ignore', 'npm install --ignore-scripts --no-audit --no-fund: it does not go by the lock file'],
    ['ci --omit=dev', 'ci', 'the packages are not those of production only'],
    ['--from=dependencies /app', '--from=build /app', 'the packages are not those of production only'],
    ['--from=build', '--from=other', 'other is no stage'],
    ['RUN npm run build', 'RUN true', 'dist is not built'],
    [/node:24-bookworm-slim AS build/, 'node:16-buster-slim AS build', 'node:16-buster-slim is older than package.json allows'],
    ['ENV NODE', 'RUN apt-get install -y curl\nENV NODE', 'the final stage runs something'],
    ['--chmod=644', '--chown=65532', 'files of the final stage belong to somebody else than root'],
    [/^USER .*$/m, '', 'the user is root, or no number'],
    [/^USER .*$/m, 'USER node', 'the user is root, or no number'],
    [/^USER .*$/m, 'USER 0:0', 'the user is root, or no number'],
    ['ENTRYPOINT ["node"]', 'ENTRYPOINT node', "ENTRYPOINT is missing, or a shell's"],
    ['CMD ["dist/server.js"]', 'CMD [dist/server.js]', "CMD is missing, or a shell's"],
    ['CMD ["node"', 'CMD curl ["node"', "HEALTHCHECK is missing, or a shell's"],
    ['NODE_ENV=production', 'NODE_ENV=development', 'NODE_ENV is not production'],
    ['image.revision', 'image.source', 'there is no label org.opencontainers.image.revision'],
    ['ENV NODE', 'ARG NPM_TOKEN\nENV NODE', 'NPM_TOKEN looks like a secret'],
    ['ENV NODE', 'ENV BROKER=redis://:password@redis:6379\nENV NODE', 'BROKER looks like a secret'],
    ['COPY src src', 'COPY . .', 'it copies all that there is'],
    ['COPY src src', 'COPY test test', "test is not in the build's context"],
    ['COPY src src', 'ADD src src', 'ADD takes from anywhere, and unpacks'],
  ]
  for (const [from, to, fault] of broken) t.ok(faultsOf(dockerfile.replace(from, to), ignores).includes(fault), fault)
})

t.test('nothing comes into the build that is not its business', async (t) => {
  for (const path of ['.env', '.env.example', 'src/.env', '.git/config', '.npmrc', 'node_modules/fastify/package.json', 'dist/server.js', 'test/image.test.ts']) t.ok(ignores(path), path)
})

t.test('the image', async (t) => {
  const image = await Image.build(t, { build: { '/app/dist': 'dist' } })

  t.test('has what production needs', async (t) => {
    const lock = JSON.parse(await readFile('package-lock.json', 'utf8')) as { packages: Record<string, { dev?: boolean }> }
    const installed = JSON.parse(await readFile(`${image.root}/app/node_modules/.package-lock.json`, 'utf8')) as typeof lock
    const packages = Object.keys(installed.packages)
    t.ok(packages.includes('node_modules/fastify'))
    t.strictSame(packages.filter((path) => lock.packages[path]?.dev !== undefined || lock.packages[path] === undefined), [])
    const { stdout } = await promisify(execFile)('du', ['-sm', `${image.root}/app`])
    const megabytes = parseInt(stdout)
    t.comment(`${megabytes} MB of files in /app`)
    t.ok(megabytes <= MAX_MEGABYTES, `${megabytes} MB`)
  })

  const whyNot = await Container.whyNot()
  if (whyNot !== undefined) t.comment(`THAT THE IMAGE STARTS, AS A USER OF ITS OWN AND ON FILES THAT CANNOT BE WRITTEN, IS NOT TESTED: ${whyNot}`)

  t.test('starts as nobody on files that cannot be written, serves, and ends on SIGTERM', { skip: whyNot ?? false }, async (t) => {
    const redis = await TestRedis.start(t)
    const ops = String(await freePort())
    const container = Container.start(t, image, { HOST: '127.0.0.1', PORT: '0', OPS_PORT: ops, REDIS_URL: redis.url, AUTH_MODE: 'jwt', JWT_SECRET: SECRET, DRAIN_DELAY_MS: '0', DRAIN_WINDOW_MS: '0' })
    const [listening] = await container.log.count(2, ({ msg }) => msg.startsWith('listening at'))
    const url = new URL(listening!.msg.slice('listening at '.length))
    await container.log.first(({ msg }) => msg === 'subscribed')
    const status = await container.status()
    t.match(status.get('Uid'), /^65532\b/)
    t.equal(status.get('Groups')?.trim() ?? '', '')
    t.equal(Number(status.get('CapEff')), 0)
    t.match(status.get('NSpid'), /\t1$/, 'signals come to it itself')
    const { out } = await container.exec(['node', '--print', "try { fs.writeFileSync('written', '') } catch ({ code }) { code }"])
    t.equal(out, 'EROFS\n')

    const asked = async ({ OPS_PORT = '', PORT = '' }) => (await container.exec(image.healthcheck, { OPS_PORT, PORT })).code
    t.equal(await asked({ OPS_PORT: ops, PORT: '1' }), 0)
    t.equal(await asked({ PORT: ops }), 0)
    t.equal(await asked({ OPS_PORT: url.port }), 1, 'health is not there')
    t.equal(await asked({ PORT: '1' }), 1, 'nobody is there')

    const token = await mint({ merchantId: 'TEST', exp: inSeconds(60) }, SECRET)
    const stream = await Stream.open(t, `${url.origin}/api/realtime/events`, { headers: { authorization: `Bearer ${token}` } })
    const published = await container.exec(['node', 'dist/cli/main.js', 'publish', '--merchant', 'TEST', '--type', 'progress', '--po', '1', '--progress', '50'])
    t.equal(published.code, 0)
    t.match(JSON.parse((await stream.published(1))[0]!), { type: 'progress', poId: '1', progress: 50 })

    await container.signal('SIGTERM')
    await stream.closed
    t.strictSame(await container.ended, { code: 0, signal: null })
  })
})
