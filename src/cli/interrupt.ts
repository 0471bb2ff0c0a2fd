import { EXIT } from './failure.js'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Aborted by Ctrl-C, or SIGTERM: a command that has asked for this ends by itself, and at once if asked twice. */
export function interruption (): AbortSignal {
  const controller = new AbortController()
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(EXIT.interrupted)
      controller.abort()
    })
  }
  return controller.signal
}
