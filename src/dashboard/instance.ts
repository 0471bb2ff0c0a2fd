import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { EVERY_MS, KEPT_MS } from './sampler.js'
import type { Instance } from './wire.js'

/** This process, as the page shows it. */
export function thisInstance (broker: string): Instance {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return {
    host: hostname(),
    pid: process.pid,
    version,
    node: process.version,
    broker,
    startedAt: Math.round(performance.timeOrigin),
    everyMs: EVERY_MS,
    keptMs: KEPT_MS,
  }
}
