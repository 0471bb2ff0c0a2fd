// Runs before the tests: they are worth nothing without a real Redis, so they do not begin without one. Without `ip`,
// a Chromium or promtool they are worth less, and say so (test/vanished.test.ts, test/browser, test/helpers/promtool.ts).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'

const succeeds = (...command) => spawnSync(command[0], command.slice(1), { stdio: 'ignore' }).status === 0
const haveRedis = () => succeeds('redis-server', '--version') && succeeds('redis-cli', '--version')
const haveIp = () => process.platform !== 'linux' || succeeds('ip', '-V')
const haveChromium = () => ['chromium', 'chromium-browser', 'google-chrome'].some((name) => succeeds(name, '--version'))
/** Where promtool is, if it is not on the PATH. */
const CACHE = 'node_modules/.cache/promtool'
const havePromtool = () => succeeds('promtool', '--version') || existsSync(`${CACHE}/usr/bin/promtool`)

const missing = [...(haveRedis() ? [] : ['redis-server']), ...(haveIp() ? [] : ['iproute2']), ...(haveChromium() ? [] : ['chromium'])]
if (missing.length > 0 || !havePromtool()) {
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (succeeds(...sudo, 'apt-get', '--version')) {
    console.error(`getting with apt-get what is missing: ${[...missing, ...(havePromtool() ? [] : ['promtool'])].join(' ')}`)
    const aptGet = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q']
    // One at a time: not every distribution has all, and apt-get installs nothing if it does not know one.
    for (const task of [['update'], ...missing.map((name) => ['install', '-y', '--no-install-recommends', name])]) {
      const [program, ...args] = [...aptGet, ...task]
      // Output goes to standard error: standard output is the tests'.
      spawnSync(program, args, { stdio: ['ignore', 2, 2] })
    }
    if (!havePromtool()) {
      // Of its package no more than the program: installed, it would start a Prometheus, too.
      mkdirSync(CACHE, { recursive: true })
      const get = 'apt-get -q download prometheus && dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool; rm -f prometheus_*.deb'
      spawnSync('sh', ['-c', get], { cwd: CACHE, stdio: ['ignore', 2, 2] })
    }
  }
}
if (!haveRedis()) {
  console.error('The tests need redis-server and redis-cli. Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis; Docker: docker run --rm -v "$PWD:/app" -w /app node:24-bookworm sh -c "npm ci && npm test"')
  process.exit(1)
}
