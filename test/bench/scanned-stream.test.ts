import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { micros } from './clock.js'
import { encode, topicOf } from './event.js'
import { ScannedStream } from './scanned-stream.js'
import { Tally } from './tally.js'

/* The benchmark believes this client: what it reads, and that it notices what is wrong. */

const server = createServer({ noDelay: true }).listen(0, '127.0.0.1')
t.before(async () => { if (!server.listening) await once(server, 'listening') })
t.teardown(() => { server.close() })

const story = { orders: 3, completionEvery: 4 }
const event = (number: number) => `event: ${topicOf(number, story)}\ndata: ${encode({ number, publishedAt: micros(), timestamp: Date.now() }, story)}\n\n`

/** What the client has counted when a server has sent these blocks, in pieces of these sizes, and ended. */
async function counted (blocks: readonly string[], sizes: readonly number[], events: number): Promise<Tally> {
  const tally = new Tally()
  tally.expect({ from: 0, events, sampleEvery: 1 })
  const stream = new ScannedStream({ port: (server.address() as AddressInfo).port, path: '/', first: 0, step: 1, story, tally })
  const [socket] = await once(server, 'connection') as [Socket]
  await once(socket, 'data')
  const bytes = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nretry: 3000\n\ndata: {"type":"connected"}\n\n${blocks.join('')}`)
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!
    socket.write(bytes.subarray(at, at += size))
    await new Promise(setImmediate) // Lets the piece be read by itself, mostly.
  }
  await stream.greeted
  socket.end()
  await once(socket, 'close')
  return tally
}

t.test('whatever comes between events, and wherever chunks end, it counts each once', async (t) => {
  const between = fc.constantFrom('', '', 'id: 1795527350414.abcdef.k3f9\n', ': heartbeat 1795527350414\n\n', ': heartbeat 1\nid: 1.-.a.2\n\n')
  await fc.assert(fc.asyncProperty(fc.array(between, { maxLength: 30 }), fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 10 }), async (between, sizes) => {
    const tally = await counted(between.map((before, number) => before + event(number)), sizes, between.length)
    const { delivered, doubled, skipped, corrupt, unexpected } = tally
    if (delivered !== between.length || tally.latencies.length !== between.length) throw new Error(`${delivered} of ${between.length}`)
    if (doubled + skipped + corrupt + unexpected > 0) throw new Error(JSON.stringify({ doubled, skipped, corrupt, unexpected }))
  }), { numRuns: 100 })
  t.pass()
})

t.test('it notices what is wrong', async (t) => {
  const [first, second, third] = [event(0), event(1), event(2)]
  const faults: Array<[name: string, blocks: string[], expected: Partial<Tally>]> = [
    ['an event that is left out', [first, third], { delivered: 2, skipped: 1 }],
    ['an event that comes twice', [first, second, second, third], { delivered: 3, doubled: 1 }],
    ['events that come in another order', [second, first, third], { delivered: 2, skipped: 1, doubled: 1 }],
    ['an event that has grown', [first, second.replace('"progress":', '"progress": '), third], { corrupt: 1 }],
    ['a control event', [first, 'event: close\ndata: {"type":"close"}\n\n', second], { delivered: 2, unexpected: 1 }],
    ['the end', [first], { delivered: 1, ended: 1 }],
  ]
  for (const [name, blocks, expected] of faults) t.match(await counted(blocks, [97], 3), expected, name)
})
