// What `helm test` runs, in a pod of the service's image: opens a stream at the public Service, publishes through Redis,
// and ends with 0 once it has seen the event come by.
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { createSigner } from 'fast-jwt'
import { MerchantPublisher } from 'realtime-fanout/publisher'

const { SERVICE_URL, REDIS_URL, CHANNEL_PREFIX, TOKEN, JWT_SECRET, JWT_ISSUER, JWT_AUDIENCE, JWT_MERCHANT_CLAIM = 'merchantId' } = process.env

const nonce = crypto.randomUUID()
const answer = await fetch(`${SERVICE_URL}/api/realtime/events`, {
  headers: { accept: 'text/event-stream', authorization: `Bearer ${TOKEN ?? ownToken()}` },
  signal: AbortSignal.timeout(30_000),
})
if (answer.status !== 200) fail(`the stream was refused with ${answer.status}: ${await answer.text()}`)
const publisher = new MerchantPublisher({ redis: REDIS_URL, channelPrefix: CHANNEL_PREFIX, strict: true })

for await (const { event, data } of answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())) {
  const told = JSON.parse(data)
  if (event === 'close') fail(`the stream was ended: ${told.reason}`)
  if (told.type === 'connected') {
    console.log(`connected as ${told.merchantId}`)
    await publisher.publish(told.merchantId, { type: 'helm_test', nonce })
  }
  if (event === 'helm_test' && told.nonce === nonce) {
    console.log('published through Redis, and seen')
    await publisher.close()
    process.exit(0)
  }
}
fail('the stream ended without the event')

function ownToken () {
  if (JWT_SECRET === undefined) fail('no token can be made without JWT_SECRET: name a Secret that has one by test.tokenSecret')
  return createSigner({ key: JWT_SECRET, expiresIn: '1m', iss: JWT_ISSUER, aud: JWT_AUDIENCE })({ [JWT_MERCHANT_CLAIM]: 'helm-test' })
}

function fail (why) {
  console.error(why)
  process.exit(1)
}
