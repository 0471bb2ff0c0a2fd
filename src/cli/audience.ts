import type { CloseEvent, ConnectionState, EventInfo, GapEvent, RealtimeError } from '../client/index.js'

/** To whom `listen` shows what it hears: somebody at a terminal, or a program behind a pipe. */
export interface Audience {
  /** Something published. */
  published (merchantId: string | undefined, data: Readonly<Record<string, unknown>>, event: EventInfo): void
  gap (merchantId: string | undefined, gap: GapEvent, event: EventInfo): void
  /** The service ends the stream; the client comes back. */
  close (merchantId: string | undefined, close: CloseEvent, event: EventInfo): void
  connection (merchantId: string | undefined, state: ConnectionState): void
  /** An attempt failed, or a stream was lost; there will be another one. */
  trouble (merchantId: string | undefined, error: RealtimeError): void
  /** Nothing more will come. */
  end (): void
}

/** What happened, and why, as far as anybody knows. */
export function reasonOf ({ message, cause }: RealtimeError): string {
  // fetch says `fetch failed`, and why in its cause, which may be one for each address that was tried.
  const deeper = (cause as Error | undefined)?.cause as NodeJS.ErrnoException | undefined
  const why = deeper?.message || deeper?.code
  return why ? `${message} (${why})` : message
}
