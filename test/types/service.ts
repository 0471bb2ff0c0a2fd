/* What the types of `realtime-fanout` let through, and what they do not: checked by `npm run typecheck`, never run. */
import { pino } from 'pino'
import { ProgressEvent, buildApp, loadConfig, type App, type KnownEvent } from 'realtime-fanout'

export async function embed (): Promise<void> {
  const app: App = await buildApp(loadConfig({ AUTH_MODE: 'none' }), { log: pino() })
  await app.server.listen({ port: 0 })
  await app.server.close()
}

export const schema: 'object' = ProgressEvent.type

// @ts-expect-error It has to be told where to log.
export const silent = buildApp(loadConfig(), {})

export function describe (event: KnownEvent): string {
  switch (event.type) {
    case 'progress': return `${event.progress.toFixed()} %`
    case 'stage': return event.status
    case 'completion': return event.stage
    case 'error': return event.error
  }
}
