import t from 'tap'
import { noMetrics } from '../src/metrics.js'
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

t.test('no metrics expose nothing', async (t) => t.equal(await noMetrics.expose(), ''))
