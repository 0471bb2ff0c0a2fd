import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { EventSource } from 'eventsource'
import t, { type Test } from 'tap'
import { Arrivals } from './helpers/arrivals.js'
import { PLAIN_NODE } from './helpers/node.js'
import { subscribeTo } from './helpers/subscriber.js'
import { TestRedis } from './helpers/redis.js'
import { Service } from './helpers/service.js'

const run = promisify(execFile)
const [node, ...args] = PLAIN_NODE

/** The block of the README that begins with these words after its backquotes. */
async function blockOf (words: string): Promise<string> {
  const readme = await readFile('src/publisher/README.md', 'utf8')
  return readme.split(`\`\`\`${words}\n`)[1]!.split('```')[0]!
}

interface Received {
  readonly type: string
  readonly poId: string
  readonly workflowId: string
  readonly [field: string]: unknown
}

/** What a real EventSource is given of a merchant's events. */
async function eventsOf (t: Test, service: Service, merchantId: string): Promise<Arrivals<Received>> {
  const received = new Arrivals<Received>()
  const source = new EventSource(service.streamUrl(merchantId))
  t.teardown(() => { source.close() })
  for (const type of ['progress', 'stage', 'completion', 'error']) {
    source.addEventListener(type, (event) => { if ('data' in event) received.add(JSON.parse(event.data as string) as Received) })
  }
  await new Promise<void>((resolve) => { source.addEventListener('message', () => { resolve() }) })
  return received
}

/** What the worker imports, and what runs it: each job is `<po>` or `<po>!`, which cannot be saved. */
const PURCHASE_ORDER = `
  import { setTimeout } from 'node:timers/promises'
  export interface LineItem { readonly sku: string }
  export const pagesOf = async (file: string): Promise<string[]> => file.split(' ')
  export const parsePage = async (page: string): Promise<LineItem[]> => { await setTimeout(100); return [{ sku: page }] }
  export const matchProducts = async (items: readonly LineItem[]): Promise<string[]> => items.map(({ sku }) => sku)
  export const save = async (poId: string, products: string[]): Promise<void> => {
    if (poId.endsWith('!')) throw new Error(\`connect ECONNREFUSED 10.0.0.3:5432 (\${products.length})\`)
  }`
const QUEUE = `
  import { close, processPurchaseOrder } from './worker.js'
  for (const [i, poId] of process.argv.slice(2).entries()) {
    const job = { id: \`job-\${i}\`, data: { merchantId: 'TEST', poId, file: 'one two three four' } }
    await processPurchaseOrder(job).catch(({ message }: Error) => { console.log(\`\${poId} failed: \${message}\`) })
  }
  await close()`

t.test('the worker: compiled, run, and seen by an EventSource at each of two instances', async (t) => {
  const folder = t.testdir({
    'worker.ts': await blockOf('ts worker.ts'),
    'purchase-order.ts': PURCHASE_ORDER,
    'queue.ts': QUEUE,
    'tsconfig.json': JSON.stringify({ extends: resolve('tsconfig.json'), compilerOptions: { noEmit: true, rootDir: resolve('.'), typeRoots: [resolve('node_modules/@types')] }, include: ['*.ts'] }),
  })
  const compiled = run(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', folder])
  const redis = await TestRedis.start(t)
  const instances = await Promise.all([1, 2].map(async () => Service.start(t, { REDIS_URL: redis.url })))
  const listeners = await Promise.all(instances.map(async (service) => eventsOf(t, service, 'TEST')))
  await compiled

  const { stdout } = await run(node, [...args, '--import', 'tsx', `${folder}/queue.ts`, '1', '2', '3!'], { env: { ...process.env, REDIS_URL: redis.url } })
  t.equal(stdout, '3! failed: connect ECONNREFUSED 10.0.0.3:5432 (4)\n', 'the queue is told what the merchant is not')
  await Promise.all(listeners.map(async (received) => received.first(({ type }) => type === 'error')))
  const [received, other] = listeners
  t.strictSame(received!.all, other!.all, 'by whatever instance')

  const of = (poId: string) => received!.all.filter((event) => event.poId === poId)
  const progressOf = (poId: string) => of(poId).filter(({ type }) => type === 'progress') as Array<Received & { progress: number, etaMs?: number }>
  const others = (poId: string) => of(poId).filter(({ type }) => type !== 'progress').map(({ type, stage, status }) => [type, stage, ...(status === undefined ? [] : [status])].join(' '))
  const before = ['stage upload started', 'stage upload completed', 'stage ai_parsing started', 'stage ai_parsing completed', 'completion ai_parsing', 'stage matching started', 'stage matching completed', 'stage saving started']
  t.strictSame(others('1'), [...before, 'stage saving completed', 'completion saving'])
  t.strictSame(others('2'), others('1'))
  t.strictSame(others('3!'), [...before, 'error saving'])
  t.ok(received!.all.every(({ timestamp, workflowId }) => Number.isInteger(timestamp) && workflowId.startsWith('job-')))
  t.match(of('1').find(({ type }) => type === 'completion'), { lineItems: [{ sku: 'one' }, { sku: 'two' }, { sku: 'three' }, { sku: 'four' }], confidence: 0.97 })
  t.match(of('3!').at(-1), { type: 'error', error: 'We could not process this purchase order.', workflowId: 'job-2' })

  for (const poId of ['1', '2', '3!']) {
    const values = progressOf(poId).map(({ progress }) => progress)
    t.strictSame(values, values.toSorted((a, b) => a - b), 'progress goes up')
    t.ok(values.slice(0, -1).every((progress) => progress < 100))
    t.equal(values.at(-1), poId === '3!' ? 90 : 100)
    t.ok(values.length >= 4 && values.length < 12, `${values.length} progress events`)
  }
  const parsing = progressOf('2').filter(({ progress }) => progress >= 10 && progress < 80)
  t.ok(parsing.length > 0 && parsing.every(({ etaMs }) => etaMs !== undefined && Number.isInteger(etaMs) && etaMs > 0), 'the first order has shown how long the stages of the second take')
  t.equal(progressOf('2').at(-1)!.etaMs, 0)
})

t.test('redis-cli', async (t) => {
  const redis = await TestRedis.start(t)
  const heard = await subscribeTo(t, redis)
  await run('bash', ['-euc', await blockOf('sh redis-cli')], { env: { ...process.env, REDIS_URL: redis.url } })
  await heard.count(4)
  t.match(heard.all, ['stage', 'progress', 'completion', 'error'].map((type) => ({ channel: `merchant:TEST:${type}`, event: { type, timestamp: Number } })))
})

t.test('it says of each code what it means, and of each option its default', async (t) => {
  const readme = await readFile('src/publisher/README.md', 'utf8')
  const codes = [...(await readFile('src/publisher/errors.ts', 'utf8')).matchAll(/'(RTF_\w+)'/g)].map(([, code]) => code!)
  t.ok(codes.length > 10)
  for (const code of codes) t.match(readme, `\`${code}\``)
})
