// Runs before the tests: they are worth nothing without a real Redis, so they do not begin without one. Without the others
// they are worth less, and say so (test/vanished.test.ts, test/browser, test/helpers/promtool.ts).
// What is needed for something else is named as arguments, and is needed.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'

/** Where programs are whose packages are not installed, but unpacked: installed, they would be started as services, too. */
const UNPACKED = 'node_modules/.cache/tools'

const succeeds = (...command) => spawnSync(command[0], command.slice(1), { stdio: 'ignore' }).status === 0

/** Whether it is there, and Debian's package of it. */
const tools = {
  redis: { there: () => succeeds('redis-server', '--version') && succeeds('redis-cli', '--version'), from: 'redis-server' },
  ip: { there: () => process.platform !== 'linux' || succeeds('ip', '-V'), from: 'iproute2' },
  chromium: { there: () => ['chromium', 'chromium-browser', 'google-chrome'].some((name) => succeeds(name, '--version')), from: 'chromium' },
  promtool: { there: () => succeeds('promtool', '--version') || existsSync(`${UNPACKED}/usr/bin/promtool`), from: 'prometheus', file: 'usr/bin/promtool' },
  // Where Debian has it, only root looks.
  nginx: { there: () => existsSync('/usr/sbin/nginx') || succeeds('nginx', '-v') || existsSync(`${UNPACKED}/usr/sbin/nginx`), from: 'nginx', file: 'usr/sbin/nginx' },
}

const named = process.argv.slice(2)
const [wanted, needed] = named.length > 0 ? [named, named] : [['redis', 'ip', 'chromium', 'promtool'], ['redis']]
const missing = wanted.filter((name) => !tools[name].there())
const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
if (missing.length > 0 && succeeds(...sudo, 'apt-get', '--version')) {
  console.error(`getting with apt-get what is missing: ${missing.join(' ')}`)
  // Output goes to standard error: standard output is the tests'.
  const run = (options, program, ...args) => spawnSync(program, args, { ...options, stdio: ['ignore', 2, 2] })
  const aptGet = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q']
  run({}, ...aptGet, 'update')
  // One at a time: not every distribution has all, and apt-get installs nothing if it does not know one.
  for (const { from, file } of missing.map((name) => tools[name])) {
    if (file === undefined) {
      run({}, ...aptGet, 'install', '-y', '--no-install-recommends', from)
    } else {
      mkdirSync(UNPACKED, { recursive: true })
      run({ cwd: UNPACKED }, 'sh', '-c', `apt-get -q download ${from} && dpkg-deb --fsys-tarfile ${from}_*.deb | tar -x ./${file}; rm -f ${from}_*.deb`)
    }
  }
}
const lacking = needed.filter((name) => !tools[name].there())
if (lacking.length > 0) {
  console.error(`This needs ${lacking.join(' and ')}. Debian, Ubuntu: apt-get install ${lacking.map((name) => tools[name].from).join(' ')}; macOS: brew install ${lacking.join(' ')}; Docker, for the tests: docker run --rm -v "$PWD:/app" -w /app node:24-bookworm sh -c "npm ci && npm test"`)
  process.exit(1)
}
