/* `npm run chaos`: real clients and publishers, whose ledgers are compared while all kinds of things go wrong. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { faults } from './faults.js'
import { Interrupted, interruption } from './interruption.js'
import { endure, type Phase } from './phase.js'
import { report } from './report.js'
import { during, once, type Schedule } from './schedule.js'
import { Scope } from './scope.js'
import { Site } from './site.js'
import { within } from './within.js'

const HELP = `Usage: npm run chaos -- [--minutes N] [--seed N]

Runs three instances of the built service behind a load balancer, on a redis-server of their own, with
${Site.says}.
Every client keeps a ledger. While they run, each of these happens once:
${faults.map(({ name, says, owed }) => `  ${name.padEnd(17)}${says}; clients are owed ${owed}`).join('\n')}

After each, what clients got is compared with what was published. Where they are owed all, each event must have come
once and in order, and no gap event. Where they are owed all or a gap, what a client has not got must have been published
within a gap (redis_outage) that it was told of, and what it has got must have come once and in order. The exit code is 1
when that is not so.

Options:
  --minutes  instead of each once, all again and again in a random order and strength, for so long
  --seed     of what is random; the seed of each run is printed
  --help     this
`
/** A run of each fault once takes so long at most, in milliseconds; about 110 s are usual. */
const DEADLINE_MS = 170_000

const { help, minutes, seed } = readArguments()
if (help) process.stdout.write(HELP)
// What was waited for when it was given up may be waited for still.
else process.exit(await chaos(minutes, seed))

async function chaos (minutes: number | undefined, seed: number): Promise<number> {
  const scope = new Scope()
  const phases: Phase[] = []
  let site: Site | undefined
  let problem: Error | undefined
  try {
    process.stderr.write(`seed ${seed}; ${Site.says}\n`)
    const run = async () => {
      site = await Site.open(scope)
      await endureAll(site, minutes === undefined ? once(seed) : during(minutes, seed), phases)
    }
    await Promise.race([minutes === undefined ? within(DEADLINE_MS, run(), () => 'the run is not over') : run(), interruption()])
  } catch (error) {
    problem = error as Error
  }
  try {
    process.stdout.write(`seed ${seed}\n\n${report(phases, await site?.fleet.counters() ?? new Map())}`)
  } finally {
    await scope.close()
  }
  if (problem instanceof Interrupted) return problem.code
  if (problem !== undefined) process.stderr.write(`chaos: ${problem.name === 'Overdue' ? problem.message : problem.stack}\n`)
  return problem === undefined && phases.every(({ findings }) => findings.length === 0) ? 0 : 1
}

async function endureAll (site: Site, schedule: Schedule, phases: Phase[]): Promise<void> {
  let from = site.marks
  for (const fault of schedule.faults()) {
    await sleep(schedule.calm())
    process.stderr.write(`${fault.name}: ${fault.says} … `)
    const phase = await endure(site, fault, schedule.luck, from)
    phases.push(phase)
    const { seconds, expected, lost, silent, doubled, late, gaps, findings, over } = phase
    process.stderr.write(`${seconds.toFixed(0)} s; of ${expected} deliveries ${lost} lost, ${silent} in silence, ${doubled} doubled, ${late} out of order; ${gaps} gaps${findings.length > 0 ? ': NOT AS IT SHOULD BE' : ''}\n`)
    if (!over) return
    from = phase.to
  }
}

function readArguments (): { readonly help: boolean, readonly minutes: number | undefined, readonly seed: number } {
  try {
    const { values: { help, minutes, seed } } = parseArgs({
      options: { minutes: { type: 'string' }, seed: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
    })
    return {
      help,
      minutes: minutes === undefined ? undefined : numberOf('--minutes', minutes, /^(?!0*\.?0*$)\d{1,5}(\.\d+)?$/),
      seed: seed === undefined ? Math.floor(Math.random() * 2 ** 32) : numberOf('--seed', seed, /^\d{1,10}$/),
    }
  } catch (error) {
    process.stderr.write(`chaos: ${(error as Error).message.split('\n', 1)[0]}\n`)
    process.exit(1)
  }
}

function numberOf (option: string, value: string, pattern: RegExp): number {
  if (!pattern.test(value)) throw new Error(`${option} got ${JSON.stringify(value)}; it takes a number`)
  return Number(value)
}
