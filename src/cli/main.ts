#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { EXIT, Failure } from './failure.js'
import { addListen } from './listen.js'
import { addPublish } from './publish.js'
import { addSimulate } from './simulate.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }

const program = new Command('realtime-fanout')
  .description('Publish events to the clients of a merchant, and listen to them.')
  .version(version)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => { write(text.replace(/^error: /, 'realtime-fanout: ')) } })
  .addHelpText('after', `
Examples:
  $ realtime-fanout listen --merchant TEST
  $ realtime-fanout publish --merchant TEST --type progress --po 1 --progress 50
  $ realtime-fanout simulate --merchants 5 --orders 20 --rate 2

Without --url or --redis, all go to the service in development, http://localhost:3001.`)
addPublish(program)
addListen(program)
addSimulate(program)

process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // Who reads what is printed may have had enough, as `head` has. What was to be published is, nevertheless.
  if (code === 'EPIPE') return
  process.stderr.write(`realtime-fanout: cannot print: ${message}\n`)
  process.exit(EXIT.failed)
})

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error)
}

function exitCodeOf (error: unknown): number {
  // commander has said what there is to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage
  /* c8 ignore next -- @preserve A fault of this tool itself. */
  if (!(error instanceof Failure)) throw error
  process.stderr.write(`realtime-fanout: ${error.message}\n`)
  return error.exitCode
}
