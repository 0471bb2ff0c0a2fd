import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import { CLOSE_REASONS, type CloseReason } from './fanout/connection.js'
import { GAP_REASONS, type GapReason } from './fanout/gap.js'
import { RESUME_OUTCOMES, type ResumeOutcome } from './fanout/resume.js'
import { DROP_REASONS, TOPICS, type DropReason, type TopicLabel } from './message.js'

/** Why no stream was opened; the closed set of `connections_rejected_total{reason}`. */
export const REJECTION_REASONS = [
  'draining', 'over_capacity', 'merchant_over_capacity', 'auth_unavailable',
  'bad_request', 'unauthorized', 'forbidden', 'not_acceptable', 'rate_limited', 'internal',
] as const
export type RejectionReason = typeof REJECTION_REASONS[number]

/** By which way a message was published through this service. */
export type PublishedVia = 'http'

/** Values that are read when they are scraped, and cost nothing in between. */
export type GaugeName = 'ready' | 'connections' | 'connections_limit' | 'merchants_connected' | 'write_buffer_bytes' | 'history_events' | 'history_bytes' | 'redis_connected' | 'redis_subscription_age_seconds'

/** What a histogram has seen: how many values were no greater than each bound, and of all, how many and how much. */
export interface Distribution {
  readonly bounds: readonly number[]
  readonly upTo: readonly number[]
  readonly count: number
  readonly sum: number
}

/** Some of what is counted, over all labels, in plain numbers. Of two of them, the difference is what happened in between. */
export interface Snapshot {
  /** Open now. */
  readonly connections: number
  /** With an open stream now. */
  readonly merchants: number
  readonly messages: number
  readonly deliveries: number
  readonly bytes: number
  /** Streams of clients that came back with a cursor, whatever became of that. */
  readonly resumes: number
  readonly gaps: number
  readonly rejected: number
  /** Streams cut off because the client did not read. */
  readonly slow: number
  /** Messages not passed on. */
  readonly dropped: number
  /** From a message's timestamp to its bytes being handed to sockets, in seconds. */
  readonly latency: Distribution
  /** From publishing a probe to its coming back, in seconds. */
  readonly probe: Distribution
}

/**
 * What the service counts, in its own terms. Labels come from closed sets only, never from clients or publishers.
 * Names, as Prometheus sees them, are in the README; all start with `realtime_`.
 */
export interface Metrics {
  connectionOpened (): void
  connectionClosed (reason: CloseReason, seconds: number): void
  connectionRejected (reason: RejectionReason): void
  /** A well-formed message came in, whether or not anybody here listens to it. */
  messageReceived (topic: TopicLabel): void
  messageDropped (reason: DropReason): void
  messagePublished (via: PublishedVia, topic: TopicLabel): void
  /** A message was handed to so many sockets at once, so long after its publisher's timestamp (`undefined`: none to be believed). */
  fannedOut (topic: TopicLabel, recipients: number, latencySeconds: number | undefined): void
  /** So many events that a client that lags was owed were handed to its socket. */
  eventsDelivered (topic: TopicLabel, count: number): void
  /** So many events were not sent to a client that lagged, as later ones said the same. */
  eventsConflated (count: number): void
  /** All that one turn brought was written. */
  flushed (seconds: number): void
  bytesSent (bytes: number): void
  /** It is known how a stream begins. */
  resumed (outcome: ResumeOutcome): void
  /** A client was told that events may be missing. */
  gapTold (reason: GapReason): void
  redisReconnected (): void
  redisProbed (seconds: number): void
  /** Where the values of gauges come from; those that nobody gives are 0. */
  readGauges (sources: Partial<Record<GaugeName, () => number>>): void
  /** What has been counted so far. To ask once a second costs next to nothing. */
  snapshot (): Promise<Snapshot>
  /** The text exposition format, and its content type. */
  expose (): Promise<string>
  readonly contentType: string
}

const GAUGES: Record<GaugeName, string> = {
  ready: '1 while new clients are welcome (/readyz), else 0',
  connections: 'Open streams',
  connections_limit: 'How many streams may be open (MAX_CONNECTIONS)',
  merchants_connected: 'Merchants with at least one open stream',
  write_buffer_bytes: 'Bytes that clients are owed and the kernel may not have taken yet',
  history_events: 'Messages kept for clients that come back',
  history_bytes: 'Bytes that keeping them takes, about',
  redis_connected: '1 while the subscription is proven to stand, else 0',
  redis_subscription_age_seconds: 'How long the present subscription has stood; 0 while none does',
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const DURATIONS = [1, 5, 15, 60, 300, 900, 1_800, 3_600, 14_400]
const RECIPIENTS = [0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000]

/** Counts with prom-client, in a registry of its own. */
export function prometheusMetrics (): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })

  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `realtime_${name}`, help, labelNames, registers })
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `realtime_${name}`, help, buckets, registers })
  /** One child per label value, looked up once here and not at every count; each starts at 0, so that a rate has a beginning. */
  const byValue = <V extends string, L extends string>(parent: Counter<L>, label: NoInfer<L>, values: readonly V[], others: { [name in NoInfer<L>]?: string } = {}) =>
    Object.fromEntries(values.map((value) => {
      const child = parent.labels({ ...others, [label]: value })
      child.inc(0)
      return [value, child]
    })) as Record<V, Counter.Internal>

  const topics: readonly TopicLabel[] = [...TOPICS, 'other']
  const opened = counter('connections_opened_total', 'Streams opened')
  const closed = byValue(counter('connections_closed_total', 'Streams closed, by reason', ['reason']), 'reason', CLOSE_REASONS)
  const rejections = counter('connections_rejected_total', 'Streams not opened, by reason', ['reason'])
  const rejected = byValue(rejections, 'reason', REJECTION_REASONS)
  const duration = histogram('connection_duration_seconds', 'How long streams lasted', DURATIONS)
  const messages = counter('messages_received_total', 'Well-formed messages from the broker', ['topic'])
  const received = byValue(messages, 'topic', topics)
  const drops = counter('messages_dropped_total', 'Messages not passed on, by reason', ['reason'])
  const dropped = byValue(drops, 'reason', DROP_REASONS)
  const published = counter('messages_published_total', 'Messages published through this service', ['via', 'topic'])
  const publishedVia: Record<PublishedVia, Record<TopicLabel, Counter.Internal>> = {
    http: byValue(published, 'topic', topics, { via: 'http' }),
  }
  const deliveries = counter('events_delivered_total', 'Events handed to sockets', ['topic'])
  const delivered = byValue(deliveries, 'topic', topics)
  const conflated = counter('events_conflated_total', 'Progress events that clients that lagged were not sent, as later ones of the same work followed')
  const bytes = counter('bytes_sent_total', 'Bytes of streams handed to sockets, heartbeats and control events among them')
  const recipients = histogram('fanout_recipients', 'To how many sockets a message was handed at once, where anybody of its merchant listens', RECIPIENTS)
  const latency = histogram('delivery_latency_seconds', "From a message's timestamp to its bytes being handed to sockets", SECONDS)
  const flush = histogram('flush_duration_seconds', 'How long writing all that one turn of the event loop brought took', SECONDS)
  const slow = counter('slow_consumers_total', 'Streams cut off because the client did not read')
  const beginnings = counter('resumes_total', 'Streams by how they began: where the client had left off (exact, covered, behind: it was ahead of this instance), with a gap, or anew', ['outcome'])
  const resumes = byValue(beginnings, 'outcome', RESUME_OUTCOMES)
  const gapEvents = counter('gaps_total', 'Gap events sent, by reason', ['reason'])
  const gaps = byValue(gapEvents, 'reason', GAP_REASONS)
  const reconnects = counter('redis_reconnects_total', 'Subscriptions made again after one was lost')
  const probe = histogram('redis_probe_seconds', 'From publishing a probe to its coming back by the subscription', SECONDS)

  // All are there from the start, whatever has a value for them: a dashboard shows 0, not a hole.
  const sources: Partial<Record<GaugeName, () => number>> = {}
  const gauge = (name: GaugeName) => sources[name]?.() ?? 0
  for (const [name, help] of Object.entries(GAUGES) as Array<[GaugeName, string]>) {
    registry.registerMetric(new Gauge({ name: `realtime_${name}`, help, registers: [], collect () { this.set(gauge(name)) } }))
  }

  return {
    connectionOpened: () => { opened.inc() },
    connectionClosed: (reason, seconds) => {
      closed[reason].inc()
      duration.observe(seconds)
      if (reason === 'slow_consumer') slow.inc()
    },
    connectionRejected: (reason) => { rejected[reason].inc() },
    messageReceived: (topic) => { received[topic].inc() },
    messageDropped: (reason) => { dropped[reason].inc() },
    messagePublished: (via, topic) => { publishedVia[via][topic].inc() },
    fannedOut: (topic, count, latencySeconds) => {
      delivered[topic].inc(count)
      recipients.observe(count)
      if (latencySeconds !== undefined) latency.observe(latencySeconds)
    },
    eventsDelivered: (topic, count) => { delivered[topic].inc(count) },
    eventsConflated: (count) => { conflated.inc(count) },
    flushed: (seconds) => { flush.observe(seconds) },
    bytesSent: (count) => { bytes.inc(count) },
    resumed: (outcome) => { resumes[outcome].inc() },
    gapTold: (reason) => { gaps[reason].inc() },
    redisReconnected: () => { reconnects.inc() },
    redisProbed: (seconds) => { probe.observe(seconds) },
    readGauges: (added) => { Object.assign(sources, added) },
    snapshot: async () => ({
      connections: gauge('connections'),
      merchants: gauge('merchants_connected'),
      messages: await totalOf(messages),
      deliveries: await totalOf(deliveries),
      bytes: await totalOf(bytes),
      resumes: await totalOf(beginnings, ({ outcome }) => outcome !== 'fresh'),
      gaps: await totalOf(gapEvents),
      rejected: await totalOf(rejections),
      slow: await totalOf(slow),
      dropped: await totalOf(drops),
      latency: await distributionOf(latency),
      probe: await distributionOf(probe),
    }),
    expose: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

async function totalOf<L extends string> (counter: Counter<L>, counts: (labels: Partial<Record<L, string | number>>) => boolean = () => true): Promise<number> {
  const { values } = await counter.get()
  return values.reduce((total, { value, labels }) => counts(labels) ? total + value : total, 0)
}

async function distributionOf (histogram: Histogram): Promise<Distribution> {
  const { values } = await histogram.get()
  const named = (suffix: string) => values.filter(({ metricName }) => metricName!.endsWith(suffix))
  const buckets = named('_bucket').filter(({ labels: { le } }) => le !== '+Inf')
  return {
    bounds: buckets.map(({ labels: { le } }) => Number(le)),
    upTo: buckets.map(({ value }) => value),
    count: named('_count')[0]!.value,
    sum: named('_sum')[0]!.value,
  }
}

const nothing = () => {}
const unseen: Distribution = { bounds: [], upTo: [], count: 0, sum: 0 }

/** Counts nothing. */
export const noMetrics: Metrics = {
  connectionOpened: nothing,
  connectionClosed: nothing,
  connectionRejected: nothing,
  messageReceived: nothing,
  messageDropped: nothing,
  messagePublished: nothing,
  fannedOut: nothing,
  eventsDelivered: nothing,
  eventsConflated: nothing,
  flushed: nothing,
  bytesSent: nothing,
  resumed: nothing,
  gapTold: nothing,
  redisReconnected: nothing,
  redisProbed: nothing,
  readGauges: nothing,
  snapshot: () => Promise.resolve({
    connections: 0, merchants: 0, messages: 0, deliveries: 0, bytes: 0, resumes: 0, gaps: 0, rejected: 0, slow: 0, dropped: 0, latency: unseen, probe: unseen,
  }),
  expose: () => Promise.resolve(''),
  contentType: 'text/plain',
}
