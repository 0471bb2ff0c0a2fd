/* `npm run bench`: every scenario, by this service and, where it says something, by the design that it replaces. */
import { parseArgs } from 'node:util'
import { machine, markdown, type Trial } from './report.js'
import { scenarios, type Scenario } from './scenarios.js'
import { oldDesign, thisService } from './server.js'
import { obstruct } from './slow-trial.js'
import { weather } from './storm-trial.js'
import { tryOut } from './trial.js'

const HELP = `Usage: npm run bench -- [--scenario NAME[,NAME…]] [--json]

Measures the built service and, in the first four scenarios, the design that it replaces beside it (one Redis connection
per client), each with a redis-server, a publisher and clients of its own on 127.0.0.1. Takes about five minutes. Linux
only.

Scenarios:
${scenarios.map(({ name, says }) => `  ${name.padEnd(12)}${says}`).join('\n')}

Options:
  --scenario  only these, separated by commas
  --json      the results as JSON
  --help      this
`

const { json, help, chosen } = readArguments()
if (help) {
  process.stdout.write(HELP)
} else {
  await bench(chosen, json)
}

async function bench (chosen: readonly Scenario[], json: boolean): Promise<void> {
  const trials: Trial[] = []
  for (const scenario of chosen) {
    for (const { subject, tryOut } of attemptsAt(scenario)) {
      process.stderr.write(`${scenario.name}, ${subject}: ${scenario.says} … `)
      const startedAt = performance.now()
      const own = await tryOut()
      trials.push(...own)
      process.stderr.write(`${own.map(outcomeOf).join(', ')}; ${((performance.now() - startedAt) / 1_000).toFixed(0)} s\n`)
    }
  }
  process.stdout.write(json ? `${JSON.stringify({ machine: machine(), trials }, null, 2)}\n` : markdown(machine(), chosen, trials))
  // Speed is the machine's; that nothing is doubled, swapped or changed is the service's.
  if (trials.some((trial) => !trial.sound && !(trial.kind === 'load' && trial.design === oldDesign.name))) process.exitCode = 1
}

interface Attempt {
  readonly subject: string
  readonly tryOut: () => Promise<readonly Trial[]>
}

function attemptsAt (scenario: Scenario): Attempt[] {
  switch (scenario.kind) {
    case 'load': return [thisService, oldDesign].map((design) => ({ subject: design.name, tryOut: async () => [await tryOut(scenario, design)] }))
    case 'storm': return [{ subject: thisService.name, tryOut: async () => weather(scenario) }]
    case 'slow': return [{ subject: thisService.name, tryOut: async () => obstruct(scenario) }]
  }
}

function outcomeOf (trial: Trial): string {
  return trial.kind === 'storm' ? `${trial.greeted} of ${trial.clients} greeted` : `${trial.delivered} of ${trial.expected} delivered`
}

function readArguments (): { json: boolean, help: boolean, chosen: readonly Scenario[] } {
  try {
    if (process.platform !== 'linux') throw new Error('it reads /proc, and so runs on Linux only')
    const { values: { json, help, scenario } } = parseArgs({
      options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false }, scenario: { type: 'string' } },
    })
    return { json, help, chosen: scenario === undefined ? scenarios : scenario.split(',').map(scenarioNamed) }
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message.split('\n', 1)[0]}\n`)
    process.exit(1)
  }
}

function scenarioNamed (name: string): Scenario {
  const scenario = scenarios.find((scenario) => scenario.name === name)
  if (scenario === undefined) throw new Error(`there is no scenario ${JSON.stringify(name)}; there are ${scenarios.map(({ name }) => name).join(', ')}`)
  return scenario
}
