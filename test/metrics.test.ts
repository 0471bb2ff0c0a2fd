import t from 'tap'
import { DROP_REASONS } from '../src/message.js'
import { noMetrics, prometheusMetrics } from '../src/metrics.js'
import { Service } from './helpers/service.js'

/** DESIGN §6, so far as it is built: names and labels are what dashboards and alerts hold on to. */
const NAMES = {
  gauge: ['ready', 'connections', 'connections_limit', 'merchants_connected', 'write_buffer_bytes', 'history_events', 'history_bytes', 'redis_connected', 'redis_subscription_age_seconds'],
  counter: [
    'connections_opened_total', 'connections_closed_total{reason}', 'connections_rejected_total{reason}', 'messages_received_total{topic}', 'messages_dropped_total{reason}',
    'messages_published_total{via,topic}', 'events_delivered_total{topic}', 'events_conflated_total', 'bytes_sent_total', 'slow_consumers_total', 'resumes_total{outcome}', 'gaps_total{reason}', 'redis_reconnects_total',
  ],
  histogram: ['connection_duration_seconds', 'fanout_recipients', 'delivery_latency_seconds', 'flush_duration_seconds', 'redis_probe_seconds'],
}

t.test('/metrics has every metric from the start, and nothing of clients in its labels', async (t) => {
  const service = await Service.start(t)
  await fetch(service.streamUrl('SHOP'), { signal: AbortSignal.timeout(200) }).then(async (answer) => answer.text()).catch(() => { /* It has no end of its own. */ })
  await service.publish('SHOP', { type: 'by-a-publisher' })
  const answer = await fetch(`${service.url}/metrics`)
  t.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  const text = await answer.text()
  for (const [type, names] of Object.entries(NAMES)) {
    for (const described of names) {
      const [, name, labels] = /^(\w+)(?:\{(.+)\})?$/.exec(described)!
      t.match(text, new RegExp(`^# TYPE realtime_${name} ${type}$`, 'm'))
      const sample = labels === undefined ? '' : `\\{${labels.split(',').map((label) => `${label}="\\w+"`).join(',')}\\}`
      t.match(text, new RegExp(`^realtime_${name}${type === 'histogram' ? '_count' : sample} [\\d.e+-]+$`, 'm'), described)
    }
  }
  t.match(text, /^process_cpu_user_seconds_total /m)
  t.match(text, /^nodejs_eventloop_lag_p99_seconds /m)
  t.notMatch(text, 'SHOP')
  t.notMatch(text, 'by-a-publisher')
})

t.test('a snapshot is what was counted, over all labels', async (t) => {
  const metrics = prometheusMetrics()
  const before = await metrics.snapshot()
  metrics.readGauges({ connections: () => 30, merchants_connected: () => 20 })
  const times = (n: number, count: (i: number) => void) => { for (let i = 0; i < n; i++) count(i) }
  times(2, (i) => { metrics.messageReceived(i === 0 ? 'stage' : 'other') })
  metrics.fannedOut('stage', 2, 0.004)
  metrics.fannedOut('error', 0, undefined)
  metrics.eventsDelivered('other', 1)
  metrics.bytesSent(400)
  times(5, (i) => { metrics.resumed((['exact', 'behind', 'covered', 'gap', 'fresh'] as const)[i]!) })
  times(5, (i) => { metrics.gapTold(i === 0 ? 'redis_outage' : 'history_evicted') })
  times(6, (i) => { metrics.connectionRejected(i === 0 ? 'draining' : 'forbidden') })
  times(7, () => { metrics.connectionClosed('slow_consumer', 1) })
  metrics.connectionClosed('draining', 1)
  times(8, () => { metrics.messageDropped(DROP_REASONS[0]) })
  metrics.redisProbed(0.003)
  const after = await metrics.snapshot()
  t.match(after, { connections: 30, merchants: 20, messages: 2, deliveries: 3, bytes: 400, resumes: 4, gaps: 5, rejected: 6, slow: 7, dropped: 8, latency: { count: 1, sum: 0.004 }, probe: { count: 1, sum: 0.003 } })
  for (const { bounds, upTo } of [after.latency, after.probe]) t.strictSame(upTo, bounds.map((bound) => bound >= 0.005 ? 1 : 0))
  t.match(before, { connections: 0, messages: 0, dropped: 0, latency: { count: 0, sum: 0 } }, 'of that moment, and no other')
})

t.test('no metrics expose nothing', async (t) => t.equal(await noMetrics.expose(), ''))
