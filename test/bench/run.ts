/* `npm run bench`: every scenario, by this service and, where it says something, by the design that it replaces. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { foretell } from './eta-trial.js'
import { receiveByLoop, receiveThroughRedis } from './remember-trial.js'
import { comparisons, machine, markdown, type Trial } from './report.js'
import { scenarios, type Scenario } from './scenarios.js'
import { historyOff, oldDesign, thisService, type Design } from './server.js'
import { obstruct } from './slow-trial.js'
import { weather } from './storm-trial.js'
import { tryOut } from './trial.js'

const HELP = `Usage: npm run bench -- [--scenario NAME[,NAME…]] [--pairs N] [--plot FILE] [--json]

Measures the built service and, in the first four scenarios, beside it the same without its history of what was received
and the design that it replaces (one Redis connection per client), each with a redis-server, a publisher and clients of
its own on 127.0.0.1. The last one is of the publisher's library alone. Takes about seven minutes. Linux only.

Scenarios:
${scenarios.map(({ name, says }) => `  ${name.padEnd(12)}${says}`).join('\n')}

Options:
  --scenario  only these, separated by commas
  --pairs     so many runs with history, and as many without, in turns; the table shows the median runs of both (1)
  --plot      where \`eta\` writes its plot, an SVG of the ETA against the truth (eta.svg in the folder for temporary files)
  --json      the results as JSON
  --help      this
`

const { json, help, pairs, plot, chosen } = readArguments()
if (help) {
  process.stdout.write(HELP)
} else {
  await bench(chosen, pairs, json)
}

async function bench (chosen: readonly Scenario[], pairs: number, json: boolean): Promise<void> {
  const trials: Trial[] = []
  for (const scenario of chosen) {
    for (const { subject, tryOut } of attemptsAt(scenario, pairs)) {
      process.stderr.write(`${scenario.name}, ${subject}: ${scenario.says} … `)
      const startedAt = performance.now()
      const own = await tryOut()
      trials.push(...own)
      process.stderr.write(`${outcomeOf(own)}; ${((performance.now() - startedAt) / 1_000).toFixed(0)} s\n`)
    }
  }
  process.stdout.write(json ? `${JSON.stringify({ machine: machine(), trials, comparisons: comparisons(trials) }, null, 2)}\n` : markdown(machine(), chosen, trials))
  // Speed is the machine's; that nothing is doubled, swapped or changed is the service's.
  if (trials.some((trial) => !trial.sound && !(trial.kind === 'load' && trial.design === oldDesign.name))) process.exitCode = 1
}

interface Attempt {
  readonly subject: string
  readonly tryOut: () => Promise<readonly Trial[]>
}

function attemptsAt (scenario: Scenario, pairs: number): Attempt[] {
  switch (scenario.kind) {
    case 'load': return [...inPairs(pairs), oldDesign].map((design) => ({ subject: design.name, tryOut: async () => [await tryOut(scenario, design)] }))
    case 'storm': return [{ subject: thisService.name, tryOut: async () => weather(scenario) }]
    case 'slow': return [{ subject: thisService.name, tryOut: async () => obstruct(scenario) }]
    case 'eta': return [{ subject: `plotted in ${plot}`, tryOut: async () => foretell(scenario, plot) }]
    case 'remember': return [
      ...inPairs(pairs).map((design) => ({ subject: design.name, tryOut: async () => [await receiveThroughRedis(scenario, design)] })),
      { subject: `${thisService.name}, with history and without, in turns`, tryOut: async () => receiveByLoop(scenario) },
    ]
  }
}

/** With history and without, so often; who goes first changes, so that what comes and goes on the machine is in nobody's favour. */
function inPairs (pairs: number): Design[] {
  return Array.from({ length: pairs }, (_, pair) => pair % 2 === 0 ? [thisService, historyOff] : [historyOff, thisService]).flat()
}

function outcomeOf (trials: readonly Trial[]): string {
  const forecasts = trials.filter((trial) => trial.kind === 'eta' && trial.claim !== undefined)
  if (forecasts.length > 0) return `${forecasts.filter(({ sound }) => sound).length} of ${forecasts.length} as well as claimed`
  return trials.map(countOf).join(', ')
}

function countOf (trial: Trial): string {
  switch (trial.kind) {
    case 'storm': return `${trial.greeted} of ${trial.clients} greeted`
    case 'remember': return `${(trial.cpuPerMessage.user + trial.cpuPerMessage.system).toFixed(2)} µs`
    case 'eta': return trial.runs
    default: return `${trial.delivered} of ${trial.expected} delivered`
  }
}

function readArguments (): { json: boolean, help: boolean, pairs: number, plot: string, chosen: readonly Scenario[] } {
  try {
    if (process.platform !== 'linux') throw new Error('it reads /proc, and so runs on Linux only')
    const { values: { json, help, pairs, plot, scenario } } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        pairs: { type: 'string', default: '1' },
        plot: { type: 'string', default: join(tmpdir(), 'eta.svg') },
        scenario: { type: 'string' },
      },
    })
    if (!/^[1-9]\d?$/.test(pairs)) throw new Error(`--pairs got ${JSON.stringify(pairs)}; it takes a count, 1–99`)
    return { json, help, pairs: Number(pairs), plot, chosen: scenario === undefined ? scenarios : scenario.split(',').map(scenarioNamed) }
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
