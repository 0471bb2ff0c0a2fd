import type { ChartOptions } from './chart.js'
import { bytes, milliseconds, rate, whole } from './format.js'

/** What is drawn, in this order. */
export const CHARTS: readonly ChartOptions[] = [
  { title: 'Streams', lines: [['connections', 'connections'], ['merchants', 'merchants']], format: whole, least: 4 },
  { title: 'Messages in', note: 'per second', lines: [['messages', 'received'], ['dropped', 'dropped']], format: rate, least: 4 },
  { title: 'Deliveries', note: 'per second', lines: [['deliveries', 'handed to sockets']], format: rate, least: 4 },
  { title: 'Latency', note: 'timestamp to socket, of 10 s', lines: [['p50', 'p50'], ['p99', 'p99']], format: milliseconds, least: 2 },
  { title: 'Coming back', note: 'per second', lines: [['resumes', 'resumes'], ['gaps', 'gap events']], format: rate, least: 1 },
  { title: 'Turned away', note: 'per second', lines: [['rejected', 'rejected'], ['slow', 'cut off, too slow']], format: rate, least: 1 },
  { title: 'Redis', note: 'probe, there and back', lines: [['probe', 'mean of 10 s']], format: milliseconds, least: 2 },
  { title: 'Event loop', note: 'lateness', lines: [['lag', 'worst of each second']], format: milliseconds, least: 10 },
  { title: 'Memory', lines: [['rss', 'resident'], ['heap', 'heap in use']], format: bytes, least: 1e6 },
]
