import { createInterface } from 'node:readline'
import { InvalidArgumentError, type Command } from 'commander'
import type { PublishableEvent, PublishError } from '../publisher/index.js'
import { Failure } from './failure.js'
import { number } from './numbers.js'
import { addTarget, openPublisher } from './target.js'

/** An outage is bridged for so long, in milliseconds: somebody waits at a terminal. */
const BRIDGE_MS = 2_500
/** Of what comes on stdin, so many events are under way at most. */
const UNDER_WAY = 500

/** What each field of an event is given by, and how the library calls it in what it says. */
const FLAGS = {
  type: '--type',
  poId: '--po',
  workflowId: '--workflow',
  progress: '--progress',
  message: '--message',
  stage: '--stage',
  status: '--status',
  error: '--error',
  confidence: '--confidence',
  etaMs: '--eta-ms',
  merchantId: '--merchant',
} as const

type Field = Exclude<keyof typeof FLAGS, 'merchantId'>

interface PublishOptions extends Readonly<Partial<Record<string, unknown>>> {
  readonly merchant: string
  readonly data?: Record<string, unknown>
}

const HELP = `
Types and what they need:
  progress     --po, --progress 0–100 (--message, --eta-ms)
  stage        --po, --stage, --status started|completed (--message)
  completion   --po, --stage (--confidence 0–1; lineItems by --data)
  error        --po, --stage, --error
  any other    whatever --data says
All may have a --workflow.

Examples:
  $ realtime-fanout publish --merchant TEST --type progress --po 1 --progress 50
  $ realtime-fanout publish --merchant TEST --type stage --po 1 --stage ai_parsing --status completed
  $ realtime-fanout publish --merchant TEST --type completion --po 1 --stage saving --confidence 0.97
  $ realtime-fanout publish --merchant TEST --type error --po 1 --stage matching --error 'no such SKU'
  $ realtime-fanout publish --merchant TEST --type invoice --data '{"total":12.5}'
  $ realtime-fanout publish --merchant TEST --type progress --po 1 --progress 50 --redis redis://localhost:6379
  $ echo '{"type":"progress","poId":"1","progress":75,"message":"soon"}' | realtime-fanout publish --merchant TEST -

Exit codes: 0 published, 1 not (all) published, 2 wrong usage. That it is published does not say that anybody listens.`

export function addPublish (program: Command): void {
  const command = program.command('publish')
    .description('Publish an event to the clients of a merchant.')
    .argument('[-]', 'reads events from stdin, one JSON object per line', dash)
    .requiredOption('--merchant <id>', 'whose clients')
    .option('--type <type>', 'progress, stage, completion, error, or a name of your own')
    .option('--po <id>', 'the purchase order')
    .option('--workflow <id>', 'the workflow')
    .option('--progress <percent>', 'how far it is', number())
    .option('--message <text>', 'shown to the merchant (default: from the other fields)')
    .option('--stage <name>', 'such as ai_parsing')
    .option('--status <status>', 'of the stage: started or completed')
    .option('--error <text>', 'what went wrong')
    .option('--confidence <share>', 'of what the stage has found, 0–1', number())
    .option('--eta-ms <ms>', 'how long it will still take, in milliseconds', number())
    .option('--data <json>', 'any other fields, as a JSON object', jsonObject)
  addTarget(command).addHelpText('after', HELP).action(async (input: '-' | undefined, options: PublishOptions) => {
    await (input === undefined ? publishOne(command, options) : publishLines(command, options))
  })
}

async function publishOne (command: Command, options: PublishOptions): Promise<void> {
  const event = eventOf(options)
  const publisher = await openPublisher(command, { bridgeMs: BRIDGE_MS, onError: toldByResult })
  const published = await publisher.publish(options.merchant, event)
  await publisher.close()
  if (!published.ok) throw new Failure(`not published: ${said(published.error)}`)
  print(options.merchant, event)
}

/** Goes on after an event that could not be published, and says so of each. */
async function publishLines (command: Command, options: PublishOptions): Promise<void> {
  const given = Object.keys(fieldsOf(options)).map((field) => FLAGS[field as Field])
  if (options.data !== undefined) given.push('--data' as never)
  if (given.length > 0) command.error(`error: with - the events say it all; ${given.join(', ')} cannot be given`)
  const publisher = await openPublisher(command, { bridgeMs: BRIDGE_MS, onError: toldByResult })
  let [line, failed] = [0, 0]
  const fail = (at: number, why: string) => {
    failed++
    process.stderr.write(`realtime-fanout: line ${at}: not published: ${why}\n`)
  }
  const underWay = new Set<Promise<void>>()
  let events = 0
  for await (const text of createInterface(process.stdin)) {
    const at = ++line
    if (text.trim() === '') continue
    events++
    const event = parsed(text)
    if (event === undefined) {
      fail(at, 'it is no JSON')
      continue
    }
    const one = publisher.publish(options.merchant, event as PublishableEvent).then((published) => {
      if (published.ok) print(options.merchant, event)
      else fail(at, published.error.message)
      underWay.delete(one)
    })
    underWay.add(one)
    if (underWay.size >= UNDER_WAY) await Promise.race(underWay)
  }
  await publisher.close()
  await Promise.all(underWay)
  if (failed > 0) throw new Failure(`${failed} of ${events} events not published`)
}

/** Each event's result says it, too. */
function toldByResult (): void {}

function print (merchantId: string, event: unknown): void {
  process.stdout.write(`published to ${merchantId}: ${JSON.stringify(event)}\n`)
}

/** The library's words, with the name of the flag beside that of the field. */
function said ({ message, field }: PublishError): string {
  const flag = field !== undefined && Object.hasOwn(FLAGS, field) ? FLAGS[field as keyof typeof FLAGS] : undefined
  return flag === undefined ? message : `${message} (${flag})`
}

function eventOf (options: PublishOptions): PublishableEvent {
  const event: Record<string, unknown> = { ...options.data, ...fieldsOf(options) }
  const message = messageOf(event)
  return { ...event, ...(event.message === undefined && message !== undefined && { message }) } as PublishableEvent
}

/** A progress and a stage event must have a message, which nobody wants to think up at a terminal. */
function messageOf ({ type, progress, stage, status }: Record<string, unknown>): string | undefined {
  if (type === 'progress' && typeof progress === 'number') return `${progress} %`
  if (type === 'stage' && typeof stage === 'string' && typeof status === 'string') return `${stage} ${status}`
  return undefined
}

/** Those that were given, by the names that they have in an event. */
function fieldsOf ({ type, po, workflow, progress, message, stage, status, error, confidence, etaMs }: PublishOptions): Partial<Record<Field, unknown>> {
  const all: Record<Field, unknown> = { type, poId: po, workflowId: workflow, progress, message, stage, status, error, confidence, etaMs }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

function dash (text: string): '-' {
  if (text !== '-') throw new InvalidArgumentError('All is said by options, or by - for stdin.')
  return text
}

function jsonObject (text: string): Record<string, unknown> {
  const value = parsed(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new InvalidArgumentError('It takes a JSON object, such as \'{"total":12.5}\'.')
  return value as Record<string, unknown>
}

/** `undefined` for what is no JSON. */
function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // Where the text is wrong, is plain to see for who has written it.
  }
}
