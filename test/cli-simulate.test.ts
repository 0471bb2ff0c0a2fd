import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { planOrder, runOrder, type OrderPlan } from '../src/demo/order.js'
import { Random } from '../src/demo/random.js'
import { MerchantPublisher } from '../src/publisher/index.js'

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
