import type { Test } from 'tap'
import type { Service } from './service.js'
import { Stream } from './stream.js'

export interface Answer {
  readonly status: number
  /** Whose events the stream is of, where one was granted. */
  readonly merchantId?: string
  /** The stable code of a refusal. */
  readonly code?: string
  /** WWW-Authenticate. */
  readonly challenge?: string
  readonly body: string
}

/** Asks for a stream, and says what came of it; one that was granted is closed again. */
export async function knock (t: Test, service: Service, headers: Record<string, string> = {}, query = ''): Promise<Answer> {
  const stream = await Stream.request(t, `${service.url}/api/realtime/events${query}`, { headers })
  const { status } = stream
  if (status !== 200) {
    await stream.closed
    const { code } = JSON.parse(stream.raw) as { code: string }
    const challenge = stream.headers['www-authenticate']
    return { status, code, body: stream.raw, ...(challenge !== undefined && { challenge }) }
  }
  const { data } = await stream.events.first(() => true)
  stream.close()
  await stream.closed
  const { merchantId } = JSON.parse(data) as { merchantId?: string }
  return { status, body: stream.raw, ...(merchantId !== undefined && { merchantId }) }
}
