import { equal } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { micros } from './clock.js'
import { encode, topicOf } from './event.js'
import { ParsedStream } from './parsed-stream.js'
import { ScannedStream } from './scanned-stream.js'
import { Tally } from './tally.js'

/* The benchmark believes these clients: what they read, and that they notice what is wrong. */

const server = createServer({ noDelay: true }).listen(0, '127.0.0.1')
t.before(async () => { if (!server.listening) await once(server, 'listening') })
t.teardown(() => { server.close() })

const story = { orders: 3, completionEvery: 4 }
const event = (number: number) => `event: ${topicOf(number, story)}\ndata: ${encode({ number, publishedAt: micros(), timestamp: Date.now() }, story)}\n\n`

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n'
/** What a stream begins with. */
const GREETINGS = {
  'history on': `${HEAD}\r\nretry: 3000\n\nid: 1795527350414.-.k3f9.1795527350414\ndata: {"type":"connected"}\n\n`,
  'history off': `${HEAD}\r\nretry: 3000\n\ndata: {"type":"connected"}\n\n`,
}

/** What a client has counted when a server has sent all this, in pieces of these sizes, and ended. */
async function counted (Stream: typeof ScannedStream | typeof ParsedStream, sent: string, sizes: readonly number[], events: number): Promise<Tally> {
  const tally = new Tally()
  tally.expect({ from: 0, events, sampleEvery: 1 })
  const stream = new Stream({ port: (server.address() as AddressInfo).port, path: '/', first: 0, step: 1, story, tally })
  const [socket] = await once(server, 'connection') as [Socket]
  await once(socket, 'data')
  const bytes = Buffer.from(sent)
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!
    socket.write(bytes.subarray(at, at += size))
    await new Promise(setImmediate) // Lets the piece be read by itself, mostly.
  }
  await stream.greeted
  socket.end()
  while (tally.ended === 0) await new Promise(setImmediate)
  return tally
}

/** In HTTP's chunked coding, one chunk each. */
function chunked (parts: readonly string[]): string {
  return `${HEAD}transfer-encoding: chunked\r\n\r\n${[...parts, ''].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}`
}

const id = (number: number) => `id: ${1795527350414 + number}.abcdef.k3f9\n`
const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 10 })
const FAULTLESS = { doubled: 0, skipped: 0, corrupt: 0, unexpected: 0 }

/** Throws, as a property is to, where the tally is not this. */
function check (tally: Tally, expected: Partial<Tally>): void {
  for (const [name, value] of Object.entries(expected)) equal(Reflect.get(tally, name), value, name)
}

for (const Stream of [ScannedStream, ParsedStream]) {
  t.test(`${Stream.name}: whatever comes between events, and wherever pieces end, it counts each once`, async (t) => {
    const between = fc.constantFrom('', '', ': heartbeat 1795527350414\n\n', ': heartbeat 1795527350414\nid: 1795527350414.-.a.1795527350415\n\n', 'retry: 3000\n\n')
    const greeting = fc.constantFrom(...Object.values(GREETINGS))
    await fc.assert(fc.asyncProperty(greeting, fc.array(fc.tuple(between, fc.boolean()), { maxLength: 30 }), sizes, async (greeting, blocks, sizes) => {
      const sent = blocks.map(([before, identified], number) => before + (identified ? id(number) : '') + event(number))
      const tally = await counted(Stream, greeting + sent.join(''), sizes, blocks.length)
      check(tally, { ...FAULTLESS, delivered: blocks.length, heartbeats: blocks.filter(([before]) => before.startsWith(':')).length })
      equal(tally.latencies.length, blocks.length)
      if (Stream === ParsedStream) check(tally, { parsed: blocks.length, identified: blocks.filter(([, identified]) => identified).length })
    }), { numRuns: 100 })
    t.pass()
  })

  t.test(`${Stream.name}: it understands the chunks of the design that this service replaces`, async (t) => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: 20 }), sizes, async (events, sizes) => {
      const parts = Array.from({ length: events }, (_, number) => event(number).split(/^(?=data: )/m)).flat()
      const tally = await counted(Stream, chunked(['data: {"type":"connected"}\n\n', ...parts, ': heartbeat 1795527350414\n\n']), sizes, events)
      check(tally, { ...FAULTLESS, delivered: events, heartbeats: 1 })
    }), { numRuns: 50 })
    t.pass()
  })

  t.test(`${Stream.name}: it notices what is wrong`, async (t) => {
    const [first, second, third] = [event(0), id(1) + event(1), id(2) + event(2)]
    const faults: Array<[name: string, blocks: string[], expected: Partial<Tally>]> = [
      ['an event that is left out', [first, third], { delivered: 2, skipped: 1 }],
      ['an event that comes twice', [first, second, second, third], { delivered: 3, doubled: 1 }],
      ['events that come in another order', [second, first, third], { delivered: 2, skipped: 1, doubled: 1 }],
      ['an event that has grown', [first, second.replace('"progress":', '"progress": '), third], { corrupt: 1 }],
      ['the end announced', [first, 'event: close\ndata: {"type":"close"}\n\n', second], { delivered: 2, unexpected: 1 }],
      ['a gap', [first, 'id: 1795527350415.-.k3f9\nevent: gap\ndata: {"type":"gap","reason":"redis_outage"}\n\n', second], { delivered: 2, unexpected: 1 }],
      ['the end', [first], { delivered: 1, ended: 1 }],
    ]
    for (const [name, blocks, expected] of faults) t.match(await counted(Stream, GREETINGS['history on'] + blocks.join(''), [97], 3), expected, name)
  })
}
