/*
 * The baseline: what this service replaces, ported as it was to a process that stays. Every client has a Redis
 * connection and a heartbeat timer of its own, every event is two chunks of HTTP's chunked coding.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Redis } from 'ioredis'

const HEARTBEAT_MS = 15_000

const server = createServer((request, response) => {
  const merchantId = new URL(request.url!, 'http://localhost').searchParams.get('merchantId')
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache', Connection: 'keep-alive' })

  const subscriber = new Redis(process.env.REDIS_URL!)
  subscriber.on('error', () => {})
  subscriber.on('pmessage', (_pattern: string, _channel: string, payload: string) => {
    const { type } = JSON.parse(payload) as { type: string }
    response.write(`event: ${type}\n`)
    response.write(`data: ${payload}\n\n`)
  })
  const greet = () => response.write(`data: ${JSON.stringify({ type: 'connected', merchantId, timestamp: Date.now() })}\n\n`)
  subscriber.psubscribe(`merchant:${merchantId}:*`).then(greet, () => { response.destroy() })

  const heartbeat = setInterval(() => { response.write(`: heartbeat ${Date.now()}\n\n`) }, HEARTBEAT_MS)
  response.on('close', () => {
    clearInterval(heartbeat)
    subscriber.disconnect()
  })
})

server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  process.stdout.write(`listening at http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
})
