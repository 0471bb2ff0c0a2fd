/*
 * Makes the recordings in ./recordings anew: `npx tsx test/bench/eta-record.ts [NAME …]`. Each is real work, done six times:
 * the first five are its history, of the sixth every report is kept. What computes is timed by the process's processor time,
 * which is what a clock on the wall would show if the machine had nothing else to do; what reads and writes files, by that
 * clock, with all that came between. Takes about a minute.
 */
import { createHash, scryptSync } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { MemoryDurations } from '../../src/publisher/durations.js'
import type { Step } from './eta-run.js'
import type { Recording } from './eta-recording.js'
import { lognormal, seeded } from './eta-synthetic.js'

const TIMES = 6
const HERE = import.meta.dirname

/** A stage, and what it reports while it works: items done, each as it is. */
interface Work {
  readonly name: string
  readonly weight: number
  readonly items: number
  /** Whether each item is reported, or only the start and the end. */
  readonly silent?: boolean
  readonly item: (index: number) => unknown
}

const random = seeded(1)

/** Text of an order's kind, which compresses as text does. */
function document (lines: number): string {
  return JSON.stringify({ lines: Array.from({ length: lines }, (_, line) => ({ sku: `A-${Math.floor(random() * 1e6)}`, quantity: line % 7, price: random() * 100, title: `Article ${Math.floor(random() * 1e4)} in blue` })) })
}

const documents = Array.from({ length: 300 }, () => document(Math.ceil(6_000 * lognormal(random, 0.5))))
const chunks = Array.from({ length: 240 }, () => Buffer.from(document(Math.ceil(5_000 * lognormal(random, 0.5)))))

async function main (): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'eta-'))
  const sources = await filesUnder(join(HERE, '../../node_modules/typescript/lib'), join(HERE, '../../node_modules/fast-check/lib'), join(HERE, '../../node_modules/fastify'))
  const works: Record<string, readonly Work[]> = {
    'parse 300 documents': [{ name: 'parse', weight: 1, items: 300, item: (i) => JSON.stringify(JSON.parse(documents[i]!)) }],
    'gzip 240 chunks': [{ name: 'gzip', weight: 1, items: 240, item: (i) => gzipSync(chunks[i]!) }],
    'copy files': [{ name: 'copy', weight: 1, items: sources.length, item: async (i) => copy(sources[i]!, join(scratch, String(i))) }],
    // Weighed as by somebody who has once seen it run.
    'an import in 5 stages': [
      { name: 'read', weight: 1, items: 200, item: async (i) => readFile(sources[i * 3 % sources.length]!) },
      { name: 'parse', weight: 40, items: 150, item: (i) => JSON.stringify(JSON.parse(documents[i]!)) },
      { name: 'model', weight: 30, items: 12, silent: true, item: () => scryptSync('key', 'salt', 32, { N: 2 ** 15, maxmem: 2 ** 26 }) },
      { name: 'pack', weight: 10, items: 80, item: (i) => brotliCompressSync(chunks[i]!, { params: { 1: 4 } }) },
      { name: 'sign', weight: 15, items: 60, item: (i) => scryptSync(createHash('sha512').update(chunks[i]!).digest(), 'salt', 32, { N: 2 ** 12 }) },
    ],
  }
  const chosen = process.argv.slice(2)
  for (const [name, work] of Object.entries(works)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue
    const recording = await record(name, work, name === 'copy files' ? () => performance.now() : processorMs)
    await writeFile(join(HERE, 'recordings', `${name.replaceAll(' ', '-')}.json`), asLines(recording))
    process.stdout.write(`${name}: ${recording.steps.at(-1)![0]} ms\n`)
  }
  await rm(scratch, { recursive: true })
}

/** Many times, or it would be over before anything else happens on the machine. */
async function copy (source: string, target: string): Promise<void> {
  for (let copy = 0; copy < 8; copy++) await writeFile(`${target}-${copy}`, await readFile(source))
}

async function record (name: string, work: readonly Work[], clock: () => number): Promise<Recording> {
  const durations = new MemoryDurations()
  for (let time = 1; ; time++) {
    const steps = await run(work, clock)
    if (time === TIMES) {
      return { name, stages: work.map(({ name, weight }) => ({ name, weight })), typical: Object.fromEntries(await durations.recall(work.map(({ name }) => name))), steps }
    }
    for (const { name } of work) {
      const [start, end] = [0, 1].map((fraction) => steps.find(([, stage, reached]) => stage === name && reached === fraction)![0])
      await durations.record(name, { ms: end! - start! })
    }
  }
}

async function run (work: readonly Work[], clock: () => number): Promise<Step[]> {
  const steps: Step[] = []
  const startedAt = clock()
  const report = (stage: string, fraction: number) => { steps.push([Number((clock() - startedAt).toFixed(1)), stage, Number(fraction.toFixed(4))]) }
  for (const { name, items, silent = false, item } of work) {
    report(name, 0)
    for (let i = 0; i < items; i++) {
      await item(i)
      if (!silent && i < items - 1) report(name, (i + 1) / items)
    }
    report(name, 1)
  }
  return steps
}

function processorMs (): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

async function filesUnder (...folders: readonly string[]): Promise<string[]> {
  const names = await Promise.all(folders.map(async (folder) => (await readdir(folder, { recursive: true })).map((name) => join(folder, name))))
  const files = []
  for (const name of names.flat()) if ((await stat(name)).isFile()) files.push(name)
  // In no order: neither by folder nor by size.
  return files.map((file) => ({ file, at: random() })).sort((a, b) => a.at - b.at).slice(0, 400).map(({ file }) => file)
}

/** A report a line, so that Git shows what has changed. */
function asLines ({ steps, ...rest }: Recording): string {
  const head = JSON.stringify(rest, null, 2).slice(0, -2)
  return `${head},\n  "steps": [\n${steps.map((step) => `    ${JSON.stringify(step)}`).join(',\n')}\n  ]\n}\n`
}

await main()
