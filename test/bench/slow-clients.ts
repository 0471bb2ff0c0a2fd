/* A process that holds the clients that hardly read. */
import { setTimeout as sleep } from 'node:timers/promises'
import { completionsBefore, type Story } from './event.js'
import { PORTION_BYTES, SlowStream } from './slow-stream.js'
import { serve } from './worker.js'

interface SlowCrowd {
  readonly port: number
  readonly clients: number
  readonly story: Story
  readonly bytesPerSecond: number
}

interface Ending {
  /** The number after that of the last event that was published. */
  readonly to: number
  readonly withinMs: number
}

const POLL_MS = 20

let streams: readonly SlowStream[] = []
let story: Story = {}
let ended = 0
let reading: NodeJS.Timeout | undefined

/** Opens streams of the first merchant, which from their greeting on read so much and no more. */
async function open (crowd: SlowCrowd): Promise<void> {
  story = crowd.story
  streams = Array.from({ length: crowd.clients }, () => new SlowStream({ port: crowd.port, path: '/api/realtime/events?merchantId=m0', story, onEnd: () => { ended++ } }))
  await Promise.all(streams.map(async ({ greeted }) => greeted))
  let turn = 0
  reading = setInterval(() => { streams[turn++ % streams.length]!.read() }, 1_000 * PORTION_BYTES / crowd.bytesPerSecond / crowd.clients)
}

/** Lets all read as fast as they can until they have come to the last event, or for so long; what they got of it all. */
async function catchUp ({ to, withinMs }: Ending) {
  clearInterval(reading)
  const [slowly, startedAt] = [sumOf(({ events }) => events), performance.now()]
  for (const stream of streams) stream.hurry()
  while (streams.some(({ last }) => last < to - 1) && performance.now() - startedAt < withinMs) await sleep(POLL_MS)
  return {
    completionsDue: completionsBefore(to, story) * streams.length,
    completions: sumOf(({ completions }) => completions),
    events: sumOf(({ events }) => events),
    /** Of the events, those that were read before it was hurried. */
    slowly,
    faults: sumOf(({ faults }) => faults),
    /** Streams that lack a completion, or that end with progress of an order that is not its latest. */
    outOfDate: streams.filter((stream) => !stream.has(to)).length,
    ended,
    seconds: (performance.now() - startedAt) / 1_000,
  }
}

function sumOf (count: (stream: SlowStream) => number): number {
  return streams.reduce((sum, stream) => sum + count(stream), 0)
}

const handlers = { open, catchUp }
export type SlowClients = typeof handlers
export type SlowReport = Awaited<ReturnType<typeof catchUp>>

serve(handlers)
