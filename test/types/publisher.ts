/* What the types of `realtime-fanout/publisher` let through, and what they do not: checked by `npm run typecheck`, never run. */
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { MemoryDurations, MerchantPublisher, RedisDurations, publishMerchantProgress, type ProgressEvent, type Published, type Stage } from 'realtime-fanout/publisher'

export const clients = [new Redis(), new Redis5(), new Cluster([])]
export const publishers = [
  ...clients.map((redis) => new MerchantPublisher({ redis })),
  new MerchantPublisher({ redis: 'redis://localhost', strict: true, onError: ({ code, field }, { merchantId }) => { console.error(code, field, merchantId) } }),
  new MerchantPublisher({ http: { url: 'https://realtime.example.com', key: 'key', fetch } }),
]
// @ts-expect-error Somewhere it has to go.
export const nowhere = new MerchantPublisher({})
// @ts-expect-error One way only.
export const everywhere = new MerchantPublisher({ redis: 'redis://localhost', http: { url: 'http://localhost' } })

export async function publish (publisher: MerchantPublisher): Promise<void> {
  const published: Published = await publisher.progress('TEST', { poId: '1', progress: 50, message: 'half way' })
  if (!published.ok) console.error(published.error.code, published.error.field)
  // @ts-expect-error What went well has no error.
  else console.error(published.error)

  const whole: ProgressEvent = { type: 'progress', poId: '1', progress: 50, message: 'half way', etaMs: 5 }
  await publisher.progress('TEST', whole)
  await publishMerchantProgress('TEST', whole)
  await publisher.publish('TEST', { type: 'invoice', any: ['thing'] })
  // @ts-expect-error poId is missing.
  await publisher.progress('TEST', { progress: 50, message: 'half way' })
  // @ts-expect-error It is a number.
  await publisher.progress('TEST', { poId: '1', progress: '50', message: 'half way' })
  // @ts-expect-error That is another event.
  await publisher.progress('TEST', { type: 'stage', poId: '1', progress: 50, message: 'half way' })
  // @ts-expect-error There are two.
  await publisher.stage('TEST', { stage: 'upload', poId: '1', status: 'half', message: '' })
  // @ts-expect-error A type is what an event needs.
  await publisher.publish('TEST', { any: ['thing'] })
}

export async function follow (publisher: MerchantPublisher): Promise<string> {
  const workflow = publisher.workflow({
    merchantId: 'TEST',
    poId: '1',
    durations: Math.random() < 0.5 ? new MemoryDurations() : new RedisDurations(new Redis()),
    stages: [{ name: 'upload', weight: 1 }, { name: 'parsing', weight: 4, items: 10 }],
  })
  const stage: Stage = workflow.stage('upload')
  await stage.complete({ lineItems: [1], confidence: 0.5 })
  // @ts-expect-error It is not declared.
  workflow.stage('packing')
  // @ts-expect-error It has no weight.
  publisher.workflow({ merchantId: 'TEST', poId: '1', stages: [{ name: 'upload' }] })
  const stages: Array<{ name: string, weight: number }> = []
  publisher.workflow({ merchantId: 'TEST', poId: '1', stages }).stage('whatever they are called')
  return workflow.track('parsing', async () => 'what the work gives')
}
