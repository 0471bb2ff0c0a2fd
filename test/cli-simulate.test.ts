import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { planOrder, runOrder, type OrderPlan } from '../src/demo/order.js'
import { Random } from '../src/demo/random.js'
import { MerchantPublisher } from '../src/publisher/index.js'
import { Cli, CliAtTerminal, eventsOf, isOpen } from './helpers/cli.js'
import { Service } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

interface Published { readonly channel: string, readonly event: Record<string, unknown> }

/** A publisher whose Redis is a list. */
function recorded (): { publisher: MerchantPublisher, all: Published[] } {
  const all: Published[] = []
  const redis = {
    status: 'ready',
    publish: async (channel: string, payload: string) => all.push({ channel, event: JSON.parse(payload) as Record<string, unknown> }),
  }
  return { publisher: new MerchantPublisher({ redis }), all }
}

const plans = (seed: number, failures: number, count = 200): OrderPlan[] => {
  const random = new Random(seed)
  return Array.from({ length: count }, (_, i) => planOrder(`PO-${i}`, random, failures))
}
const noTime = async () => {}

t.test('the same seed plans the same, another one something else', async (t) => {
  t.ok(isDeepStrictEqual(plans(7, 0.3), plans(7, 0.3)))
  t.notOk(isDeepStrictEqual(plans(7, 0.3), plans(8, 0.3)))
  const withoutFailure = (plan: OrderPlan) => ({ ...plan, failure: undefined })
  t.ok(isDeepStrictEqual(plans(7, 1).map(withoutFailure), plans(7, 0)), 'how many fail changes nothing else')
})

t.test('so many fail as were asked for', async (t) => {
  const failing = (share: number) => plans(1, share, 1_000).filter(({ failure }) => failure !== undefined).length
  t.equal(failing(0), 0)
  t.equal(failing(1), 1_000)
  t.ok(failing(0.1) > 70 && failing(0.1) < 130, `${failing(0.1)} of 1000`)
})

t.test('an order goes through all stages and ends', async (t) => {
  const { publisher, all } = recorded()
  const [plan] = plans(3, 0, 1)
  let ms = 0
  t.equal(await runOrder(plan!, { publisher, merchantId: 'TEST', pause: async (more) => { ms += more } }), 'completed')
  await publisher.close()
  const stages = ['upload', 'validation', 'ai_parsing', 'matching', 'saving']
  t.strictSame(all.filter(({ event }) => event.type === 'stage').map(({ event }) => `${String(event.stage)} ${String(event.status)}`), stages.flatMap((stage) => [`${stage} started`, `${stage} completed`]))
  t.match(all.filter(({ event }) => event.type === 'completion').map(({ event }) => event), [
    { stage: 'ai_parsing', confidence: plan!.confidence }, { stage: 'matching', lineItems: plan!.lineItems }, { stage: 'saving' },
  ])
  t.equal(all.filter(({ event }) => event.type === 'progress').at(-1)!.event.progress, 100)
  t.ok(all.every(({ channel, event }) => channel.startsWith('merchant:TEST:') && event.poId === 'PO-0' && event.workflowId === 'wf-PO-0'))
  t.equal(ms, plan!.stages.flatMap(({ itemsMs }) => itemsMs).reduce((sum, one) => sum + one))
})

t.test('an order that is to fail does, where and for what it was to', async (t) => {
  for (const plan of plans(5, 1, 20)) {
    const { publisher, all } = recorded()
    t.equal(await runOrder(plan, { publisher, merchantId: 'TEST', pause: noTime }), 'failed')
    await publisher.close()
    t.match(all.at(-1), { channel: 'merchant:TEST:error', event: { stage: plan.failure!.stage, error: plan.failure!.error } })
    t.notOk(all.some(({ event }) => event.progress === 100))
  }
})

t.test('an order that is stopped tells the merchant, and whoever stopped it', async (t) => {
  const { publisher, all } = recorded()
  const [plan] = plans(3, 0, 1)
  let left = 3
  const pause = async () => { if (--left === 0) throw new Error('enough') }
  await t.rejects(runOrder(plan!, { publisher, merchantId: 'TEST', pause }), { message: 'enough' })
  await publisher.close()
  t.match(all.at(-1)!.event, { type: 'error', error: 'the simulation was stopped' })
})

t.test('simulate', async (t) => {
  const service = await Service.start(t)
  const env = { REALTIME_URL: service.url }

  t.test('orders of several merchants; the same again with the same seed', async (t) => {
    const what = async () => {
      const listener = new Cli(t, ['listen', '--merchant', 'TEST', '--merchant', 'TEST-2', '--topics', 'stage,completion,error'], env)
      await listener.out.count(2, isOpen)
      const { code, out, err } = await Cli.run(t, ['simulate', '--merchants', '2', '--orders', '6', '--rate', '1000', '--speed', '200', '--failures', '0.5', '--seed', '7'], env)
      t.strictSame([code, err], [0, []])
      t.match(out, [/^6 orders: \d completed, \d failed; \d+ events published in \d s \(--seed 7\)$/])
      const ends = await listener.out.count(6, (line) => line.includes('"error"') || line.includes('"completion","stage":"saving"'))
      const events = eventsOf(listener.out.all).filter(({ event }) => event !== undefined)
      t.ok(ends.some((line) => line.includes('"merchant":"TEST-2"')) && ends.some((line) => line.includes('"event":"error"')))
      listener.signal('SIGINT')
      await listener.ended
      return events.map(({ merchant, data }) => JSON.stringify([merchant, { ...data, timestamp: 0 }])).toSorted()
    }
    t.strictSame(await what(), await what())
  })

  t.test('counts at a terminal', async (t) => {
    const cli = new CliAtTerminal(t, ['simulate', '--orders', '2', '--rate', '1000', '--speed', '20', '--failures', '0'], env)
    await cli.sees(/2 of 2 orders: ▸ 2 running, ✓ 0 completed, ✗ 0 failed; \d+ events published/)
    t.equal(await cli.ended, 0)
    t.match(cli.text, /2 orders: 2 completed, 0 failed; \d+ events published in \d s \(--seed \d+\)\s*$/)
  })

  t.test('Ctrl-C stops it: whoever listens is told', async (t) => {
    const stream = await Stream.open(t, service.streamUrl('TEST'))
    const cli = new Cli(t, ['simulate', '--orders', '20', '--rate', '5'], env)
    await stream.events.first(({ event }) => event === 'progress')
    cli.signal('SIGINT')
    const { code, out, err } = await cli.ended
    t.equal(code, 130)
    t.strictSame(err, ['realtime-fanout: stopping; again stops at once'])
    const [, started, stopped] = /^(\d+) orders: 0 completed, 0 failed, (\d+) stopped; /.exec(out[0]!)!
    t.equal(started, stopped)
    const told = await stream.events.count(Number(started), ({ event }) => event === 'error')
    t.match(told[0]!.data, '"error":"the simulation was stopped"')
  })

  t.test('a second one stops it at once, whatever it waits for', async (t) => {
    const deaf = createServer(() => {}).listen(0, '127.0.0.1')
    t.teardown(() => { deaf.closeAllConnections(); deaf.close() })
    await once(deaf, 'listening')
    const asked = once(deaf, 'request')
    const cli = new Cli(t, ['simulate', '--url', `http://127.0.0.1:${(deaf.address() as AddressInfo).port}`])
    await asked
    cli.signal('SIGTERM')
    await cli.err.first((line) => line.includes('stopping'))
    cli.signal('SIGTERM')
    t.match(await cli.ended, { code: 130, out: [] })
  })

  t.test('a target that takes nothing ends it; one that goes on does not', async (t) => {
    t.match(await Cli.run(t, ['simulate', '--url', `${service.url}/x`]), { code: 1, out: [/^\d+ orders: .* stopped; 0 events published \(\d+ were not\)/], err: [/^realtime-fanout: not published: the service refuses it: 404/] })

    const passing = await Service.start(t, { MAX_MESSAGE_BYTES: '400' })
    const { code, out, err } = await Cli.run(t, ['simulate', '--orders', '2', '--rate', '1000', '--speed', '100', '--failures', '0', '--seed', '2', '--url', passing.url])
    t.strictSame([code, err.length], [1, 1])
    t.match(out, [/^2 orders: 2 completed, 0 failed; \d\d+ events published \(\d were not\)/])
    t.match(err, [/413 RTF_EVENT_TOO_LARGE/])
  })
})
