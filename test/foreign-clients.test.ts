import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fetchEventSource } from '@microsoft/fetch-event-source'
import { EventSource } from 'eventsource'
import { createEventSource } from 'eventsource-client'
import { createParser } from 'eventsource-parser'
import t from 'tap'
import { EventSource as UndiciEventSource } from 'undici'
import { Arrivals } from './helpers/arrivals.js'
import { numbered } from './helpers/listener.js'
import { Recorder, idOf } from './helpers/recorder.js'
import { TestRedis } from './helpers/redis.js'
import { Service } from './helpers/service.js'

/*
 * The service, and clients that nobody here wrote. What a browser's own EventSource makes of it: test/browser/resume.test.ts.
 * As of November 2026, `eventsource`, `eventsource-client`, `launchdarkly-eventsource` and undici are looked after;
 * `@microsoft/fetch-event-source` has not been since 2021, but is what many pages have.
 */

/** An event as a client hands it out; `message` where it has no name. */
interface Told {
  readonly name: string
  readonly data: string
}

/** Listens by its own means to what is published by these names, until it is stopped, and comes back when it is sent away. */
type Listen = (url: string, names: readonly string[], tell: (event: Told) => void) => () => void

/** What an EventSource dispatches. */
interface Dispatched {
  readonly type: string
  readonly data?: unknown
}

type Standard = new (url: string) => { addEventListener (type: string, listener: (event: Dispatched) => void): void, close (): void }

function standard (EventSource: Standard): Listen {
  return (url, names, tell) => {
    const source = new EventSource(url)
    for (const name of ['message', ...names]) {
      source.addEventListener(name, ({ data }) => {
        // A published error has data, one of the connection has none.
        if (typeof data === 'string') tell({ name, data })
      })
    }
    return () => { source.close() }
  }
}

/** It has been written for a page only. */
const fetchEventSourceListen: Listen = (url, _names, tell) => {
  const page = { document: { hidden: false, addEventListener () {}, removeEventListener () {} }, window: { fetch, setTimeout, clearTimeout } }
  Object.assign(globalThis, page)
  const abort = new AbortController()
  void fetchEventSource(url, {
    signal: abort.signal,
    // A block without data is handed out like one with.
    onmessage: ({ event, data }) => { if (data !== '') tell({ name: event === '' ? 'message' : event, data }) },
    // Its way to be told to come back after the end.
    onclose: () => { throw new Error('ended') },
  })
  return () => {
    abort.abort()
    for (const name of Object.keys(page)) Reflect.deleteProperty(globalThis, name)
  }
}

const eventSourceClient: Listen = (url, _names, tell) => {
  const source = createEventSource({ url, onMessage: ({ event = 'message', data }) => { tell({ name: event, data }) } })
  return () => { source.close() }
}

/** A shell script's way: with the last id that was seen, again and again. */
const curl: Listen = (url, _names, tell) => {
  const ending = new AbortController()
  let lastEventId: string | undefined
  void (async () => {
    while (!ending.signal.aborted) {
      const child = spawn('curl', ['-sN', ...(lastEventId === undefined ? [] : ['-H', `Last-Event-ID: ${lastEventId}`]), url], { stdio: ['ignore', 'pipe', 'inherit'] })
      ending.signal.addEventListener('abort', () => { child.kill() })
      const parser = createParser({
        onId: (id) => { lastEventId = id },
        onEvent: ({ event = 'message', data }) => { tell({ name: event, data }) },
      })
      child.stdout.setEncoding('utf8').on('data', (text: string) => { parser.feed(text) })
      await once(child, 'close')
    }
  })()
  return () => { ending.abort() }
}

const require = createRequire(import.meta.url)
const clients: Array<[name: string, listen: Listen]> = [
  ['eventsource', standard(EventSource)],
  ['the EventSource of undici, which is that of Node.js', standard(UndiciEventSource)],
  ['launchdarkly-eventsource', standard((require('launchdarkly-eventsource') as { EventSource: Standard }).EventSource)],
  ['eventsource-client', eventSourceClient],
  ['@microsoft/fetch-event-source', fetchEventSourceListen],
  ['curl', curl],
]

const redis = await TestRedis.start(t)
const service = await Service.start(t, { REDIS_URL: redis.url, MAX_CONNECTION_AGE_S: '2', RETRY_MS: '400', HEARTBEAT_MS: '200' })
await service.log.first(({ msg }) => msg === 'subscribed')

// They wait more than they work: all at once.
t.jobs = clients.length
for (const [index, [name, listen]] of clients.entries()) {
  t.test(name, { buffered: true }, async (t) => {
    const merchantId = `m${index}`
    const path = `/api/realtime/events?merchantId=${merchantId}`
    const publish = async (payload: string) => { await redis.cli('PUBLISH', `merchant:${merchantId}:numbered`, payload) }
    const about = (message: string) => ({ msg, merchantId: whose }: { msg: string, [field: string]: unknown }) => msg === message && whose === merchantId
    const recorder = await Recorder.start(t, service.port)
    const told = new Arrivals<Told>()
    t.teardown(listen(`${recorder.url}${path}`, ['numbered', 'error', 'close'], (event) => { told.add(event) }))
    const greeted = (n: number) => told.count(n, ({ name, data }) => name === 'message' && data.startsWith('{"type":"connected"'))
    const withData = (wanted: string) => told.first(({ data }) => data === wanted)
    await greeted(1)

    const spread = '{\n  "type": "numbered",\r\n\n  "n": 1,\r  "text": "  zwölf: \\n "}  '
    await publish(spread)
    const published = { name: 'numbered', data: spread.replaceAll(/\r\n?/g, '\n') }
    t.strictSame(await withData(published.data), published, 'a named event with the exact data, of several lines')
    const error = '{"type":"error","stage":"s","poId":"1","error":"e"}'
    await publish(error)
    t.strictSame(await withData(error), { name: 'error', data: error }, 'a published error')

    await service.log.first(about('stream closed'))
    // It waits for as long as it was told to.
    await publish(JSON.stringify(numbered(2)))
    await greeted(2)
    await withData(JSON.stringify(numbered(2)))
    await publish(JSON.stringify(numbered(3)))
    await withData(JSON.stringify(numbered(3)))

    const farewell = '{"type":"close","reason":"max_age","reconnect":true}'
    const story = told.all.slice(0, told.all.findIndex(({ data }) => data === JSON.stringify(numbered(3))) + 1).filter(({ name }) => name !== 'message')
    t.strictSame(story.map(({ data }) => data), [published.data, error, farewell, JSON.stringify(numbered(2)), JSON.stringify(numbered(3))], 'all of it, once, in order')
    const [first, second] = recorder.about(path)
    t.equal(first!.header('Last-Event-ID'), undefined)
    t.equal(second!.header('Last-Event-ID'), first!.blocks.map(idOf).findLast((id) => id !== undefined), 'it came back with the last id that it was sent')
  })
}
