/* `realtime-fanout`: the service, for those who run it inside a process of their own, and the events that it carries. */
export { buildApp, type App, type Deps } from './app.js'
export type { Strategy } from './auth/strategy.js'
export type { Broker } from './broker/broker.js'
export { ConfigError, loadConfig, type Config } from './config.js'
export { CompletionEvent, ErrorEvent, ProgressEvent, StageEvent, type KnownEvent, type PublishableEvent } from './message.js'
export type { Metrics } from './metrics.js'
