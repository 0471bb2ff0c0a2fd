import { once } from 'node:events'
import { Option, type Command } from 'commander'
import { createRealtimeClient, type CloseEvent, type RealtimeClient } from '../client/index.js'
import type { Audience } from './audience.js'
import { Failure } from './failure.js'
import { interruption } from './interrupt.js'
import { JsonLines } from './json-lines.js'
import { Live } from './live.js'
import { whole } from './numbers.js'
import { checkCredential, DEFAULT_URL, urlOption } from './target.js'

interface ListenOptions {
  readonly merchant?: readonly string[]
  readonly topics?: string
  readonly token?: string
  readonly replay?: number
  readonly url?: string
}

const HELP = `
On a terminal, each purchase order is a line: ▸ under way, ✓ done, ✗ failed; ! is a gap, ~ news of the connection.
Piped, each event is a line of JSON, gap and close included, and so is what becomes of the connection:
  {"event":"progress","id":"…","merchant":"TEST","data":{"type":"progress",…}}
  {"connection":"open","merchant":"TEST"}
  {"connection":"reconnecting","merchant":"TEST","code":"CONNECTION_LOST","message":"…"}

Examples:
  $ realtime-fanout listen --merchant TEST
  $ realtime-fanout listen --merchant TEST --topics progress,error --replay 10
  $ realtime-fanout listen --merchant TEST --merchant TEST-2
  $ realtime-fanout listen --merchant TEST --replay 10 | head -n 1
  $ realtime-fanout listen --url http://localhost:3001 --token "$TOKEN"

It comes back whenever the connection is lost, and misses nothing that the service still has; or it tells of a gap.
Exit codes: 0 ended by Ctrl-C, SIGTERM, or whoever it is piped to; 1 the service refuses the stream for good
(400, 401, 403, 404), 2 wrong usage.`

export function addListen (program: Command): void {
  const command = program.command('listen')
    .description("Show what is published to a merchant's clients, until Ctrl-C.")
    .option('--merchant <id>', 'whom it is published to; may be given several times', append)
    .option('--topics <list>', 'only these topics, separated by commas')
    .option('--replay <n>', 'begin with the last n events that the service has', whole(0, 10_000))
    .addOption(urlOption())
    .addOption(new Option('--token <token>', 'who you are; it says which merchant, too').env('REALTIME_TOKEN'))
    .addHelpText('after', HELP)
    .action(async (options: ListenOptions) => { await listen(command, options) })
}

async function listen (command: Command, options: ListenOptions): Promise<void> {
  const { token, topics, replay, merchant = [] } = options
  const base = options.url || DEFAULT_URL
  const merchants: ReadonlyArray<string | undefined> = merchant.length > 0 ? [...new Set(merchant)] : [undefined]
  if (merchant.length === 0 && !token) command.error('error: say whom to listen to: --merchant <id>, or --token <token>')
  checkCredential(command, '--token', token)
  if (!/^https?:\/\/[^/]/.test(base) || !URL.canParse(base)) command.error('error: --url takes the URL of the service, such as https://realtime.example.com')

  const url = new URL('api/realtime/events', base.replace(/\/?$/, '/'))
  if (replay !== undefined) url.searchParams.set('replay', String(replay))
  const interrupted = interruption()
  const audience = await audienceOf(base, merchants)
  const clients = merchants.map((merchantId) => createRealtimeClient({
    url: url.href,
    merchantId,
    ...(topics !== undefined && { topics: topics.split(',') }),
    ...(token && { getToken: () => token }),
  }))
  try {
    await Promise.race([
      once(interrupted, 'abort'),
      new Promise((resolve) => { process.stdout.on('error', resolve) }),
      ...clients.map(async (client, i) => heard(client, merchants[i], audience)),
    ])
  } finally {
    audience.end()
    for (const client of clients) client.close()
  }
}

/** What draws is loaded only for who looks at it. */
async function audienceOf (url: string, merchants: ReadonlyArray<string | undefined>): Promise<Audience> {
  if (!process.stdout.isTTY) return new JsonLines(process.stdout)
  const { Terminal } = await import('./terminal.js')
  return new Live(new Terminal(process.stdout), url, merchants)
}

/** Shows what a client hears; rejects when it is given up. */
async function heard (client: RealtimeClient, merchantId: string | undefined, audience: Audience): Promise<never> {
  let last: CloseEvent | undefined
  client.on('*', (data, event) => { audience.published(merchantId, data, event) })
  client.on('gap', (gap, event) => { audience.gap(merchantId, gap, event) })
  client.on('close', (close, event) => {
    last = close
    audience.close(merchantId, close, event)
  })
  client.on('connection_error', (error) => { if (client.state !== 'closed') audience.trouble(merchantId, error) })
  return new Promise((_resolve, reject) => {
    client.subscribe(() => {
      const { state, error } = client
      audience.connection(merchantId, state)
      if (error !== undefined) reject(new Failure(`no stream: ${error.status} ${error.code}: ${error.message}`))
      else if (last?.reconnect === false) reject(new Failure(`the service ended the stream for good: ${last.reason}`))
    })
  })
}

function append (value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}
