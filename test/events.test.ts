import t from 'tap'
import { RawClient } from './helpers/raw.js'
import { Service, progress } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

t.test('the stream', async (t) => {
  const service = await Service.start(t)

  t.test('begins with its headers, a jittered retry and an unnamed connected event', async (t) => {
    const before = Date.now()
    const stream = await Stream.open(t, service.streamUrl('shop.myshopify.com'))
    t.match(stream.headers, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      connection: 'close',
      date: String,
    })
    t.notOk(stream.headers['transfer-encoding'], 'no chunks: the end of the connection is the end of the body')
    t.equal(stream.events.all[0]?.event, undefined)
    const connected = JSON.parse(stream.events.all[0]!.data) as { timestamp: number }
    t.match(connected, { type: 'connected', merchantId: 'shop.myshopify.com' })
    t.ok(connected.timestamp >= before && connected.timestamp <= Date.now())
    t.ok(stream.raw.startsWith('retry: '), 'retry is the first that it says')
    t.ok(stream.retries[0]! >= 1_500 && stream.retries[0]! < 4_500)
  })

  t.test('each client is told another retry', async (t) => {
    const streams = await Promise.all(Array.from({ length: 20 }, () => Stream.open(t, service.streamUrl('jitter'))))
    t.ok(new Set(streams.map(({ retries }) => retries[0])).size > 10)
  })

  t.test('brings the events of its merchant, and of no other', async (t) => {
    const [mine, other] = await Promise.all([Stream.open(t, service.streamUrl('mine')), Stream.open(t, service.streamUrl('other'))])
    await service.publish('mine', [progress(1), progress(2)])
    await service.publish('other', progress(3))
    t.match((await mine.published(2)).map((data) => JSON.parse(data) as unknown), [{ message: 'step 1' }, { message: 'step 2' }])
    t.match((await other.published(1)).map((data) => JSON.parse(data) as unknown), [{ message: 'step 3' }])
    t.equal(mine.data.length, 2)
  })

  t.test('?topics= brings these topics only, and control events', async (t) => {
    const before = await service.metric('fanout_recipients_sum')
    const all = await Stream.open(t, service.streamUrl('topics'))
    const some = await Stream.open(t, service.streamUrl('topics', '&topics=stage,custom'))
    const same = await Stream.open(t, service.streamUrl('topics', '&topics=custom,stage,stage'))
    const none = await Stream.open(t, service.streamUrl('topics', '&topics=nobody-publishes-this'))
    const stage = { type: 'stage', stage: 'ai_parsing', poId: '1', status: 'started', message: 'm' }
    await service.publish('topics', [progress(1), stage, { type: 'custom' }, progress(2)])
    await all.published(4)
    t.strictSame(all.events.all.map(({ event }) => event), [undefined, 'progress', 'stage', 'custom', 'progress'])
    for (const stream of [some, same]) {
      await stream.published(2)
      t.strictSame(stream.events.all.map(({ event }) => event), [undefined, 'stage', 'custom'])
    }
    t.equal(none.events.all.length, 1)
    t.equal(await service.metric('fanout_recipients_sum') - before, 1 + 3 + 3 + 1)
  })

  t.test('HEAD has the headers and no body', async (t) => {
    const answer = await fetch(service.streamUrl('head'), { method: 'HEAD' })
    t.equal(answer.status, 200)
    t.equal(answer.headers.get('content-type'), 'text/event-stream')
    t.equal(await answer.text(), '')
  })

  t.test('a client of HTTP/1.0 is served', async (t) => {
    const client = new RawClient(t, service.port, 'GET /api/realtime/events?merchantId=old HTTP/1.0\r\n\r\n')
    const answer = await client.until('connected')
    t.match(answer, /^HTTP\/1\.1 200 OK\r\n/)
    t.notMatch(answer, /transfer-encoding/i)
  })

  t.test('what a client sends after its request is never answered into the stream', async (t) => {
    const client = new RawClient(t, service.port, 'GET /api/realtime/events?merchantId=chatty HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.until('connected')
    client.send('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nand no HTTP at all\r\n\r\n')
    client.send('x'.repeat(100_000))
    await service.publish('chatty', progress(7))
    const answer = await client.until('step 7')
    t.equal(answer.match(/HTTP\/1\.1/g)?.length, 1)
    t.notMatch(answer, /status.:.ok/)
  })

  t.test('a stream pipelined behind another request is refused', async (t) => {
    const client = new RawClient(t, service.port,
      'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\nGET /api/realtime/events?merchantId=p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await client.closed
    t.match(client.answer, /RTF_PIPELINED/)
  })

  t.test('a request pipelined behind a stream ends both', async (t) => {
    const client = new RawClient(t, service.port,
      'GET /api/realtime/events?merchantId=q HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.closed
    t.notMatch(client.answer, /status.:.ok/)
  })

  t.test('what is pipelined behind a request with a body is not answered, and does no harm', async (t) => {
    const stream = (more: string) => `GET /api/realtime/events?merchantId=r HTTP/1.1\r\nHost: x\r\n${more}`
    const next = 'POST /api/realtime/ticket?merchantId=r HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'
    for (const request of [stream('Content-Length: 5\r\n\r\n12345'), stream('Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n'), stream('\r\n')]) {
      for (const behind of [next, next + next, next + stream('\r\n'), stream('Content-Length: 2\r\n\r\n{}') + next]) {
        const client = new RawClient(t, service.port, request + behind)
        await Promise.race([client.closed, client.until('connected').catch(() => { /* It is closed. */ })])
        await Stream.open(t, service.streamUrl('r'))
        t.notMatch(client.answer, /expiresAt|HTTP[^]*HTTP/)
      }
    }
  })

  t.test('a client that leaves before its stream begins leaves nothing behind', async (t) => {
    const client = new RawClient(t, service.port, 'GET /api/realtime/events?merchantId=hasty HTTP/1.1\r\nHost: x\r\n\r\n')
    const before = await service.metric('fanout_recipients_sum')
    client.reset()
    await client.closed
    // It may or may not have been opened: if it was, it is closed.
    const after = await Stream.open(t, service.streamUrl('hasty'))
    await service.publish('hasty', progress(1))
    await after.published(1)
    const opened = service.log.all.filter(({ msg, merchantId }) => msg === 'stream opened' && merchantId === 'hasty').length
    await service.log.count(opened - 1, ({ msg, merchantId }) => msg === 'stream closed' && merchantId === 'hasty')
    t.equal(await service.metric('fanout_recipients_sum') - before, 1, 'one client is left')
  })
})

t.test('heartbeats go to all clients, idle or not', async (t) => {
  const service = await Service.start(t, { HEARTBEAT_MS: '200' })
  const streams = await Promise.all(Array.from({ length: 60 }, (_, i) => Stream.open(t, service.streamUrl(`m${i}`))))
  await Promise.all(streams.map((stream) => stream.comments.count(2)))
  for (const { comments } of streams) {
    const [first, second] = comments.all.map((comment) => Number(/^ ?heartbeat (\d+)$/.exec(comment)?.[1]))
    t.ok(second! - first! > 100, 'one interval apart')
  }
  t.ok(await service.metric('bytes_sent_total') > 60 * 2 * ': heartbeat 1234567890123\n\n'.length)
})

t.test('bad requests for a stream', async (t) => {
  const service = await Service.start(t)
  const refused = async (query: string, init?: RequestInit) => {
    const answer = await fetch(`${service.url}/api/realtime/events${query}`, init)
    return { status: answer.status, headers: answer.headers, body: await answer.json() as { code: string, message: string, statusCode: number } }
  }

  const badIds: Array<[name: string, id: string]> = [
    ['a colon', 'a:b'], ['an asterisk', '*'], ['a space', 'a b'], ['NUL', 'a\0'], ['129 characters', 'a'.repeat(129)],
    ['two thousand characters', 'a'.repeat(2_000)], ['unicode', 'mérchant'], ['an emoji', '🛒'], ['a leading dot', '.a'], ['a leading underscore', '_probe'],
    ['a line break', 'a\nb'], ['a trailing line break', 'a\n'], ['a slash', 'a/b'], ['a lone percent sign', '%'],
  ]
  for (const [name, id] of badIds) {
    t.test(`a merchant id with ${name} is 400`, async (t) => {
      const { status, body } = await refused(`?merchantId=${encodeURIComponent(id)}`)
      t.equal(status, 400)
      t.match(body, { code: 'RTF_BAD_MERCHANT_ID', statusCode: 400, message: String })
    })
  }
  t.test('two merchant ids are 400', async (t) => t.match(await refused('?merchantId=a&merchantId=b'), { status: 400, body: { code: 'FST_ERR_VALIDATION' } }))
  for (const query of ['', '?', '?merchantId=']) {
    t.test(`no merchant id (${query || 'no query'}) is 401`, async (t) => {
      const { status, headers, body } = await refused(query)
      t.equal(status, 401)
      t.equal(body.code, 'RTF_MERCHANT_MISSING')
      t.ok(headers.get('www-authenticate'))
    })
  }

  const badTopics: Array<[name: string, query: string]> = [
    ['none', '&topics='], ['an empty one', '&topics=a,,b'], ['a space', '&topics=a%20b'], ['an asterisk', '&topics=*'], ['unicode', '&topics=%C3%A9'],
    ['65 characters', `&topics=${'a'.repeat(65)}`], ['33 of them', `&topics=${Array.from({ length: 33 }, (_, i) => `t${i}`).join()}`],
    ['a line break', '&topics=a%0Adata:'],
  ]
  for (const [name, query] of badTopics) {
    t.test(`topics with ${name} are 400`, async (t) => t.match(await refused(`?merchantId=a${query}`), { status: 400, body: { code: 'RTF_BAD_TOPICS' } }))
  }

  t.test('two lists of topics are 400', async (t) => t.match(await refused('?merchantId=a&topics=a&topics=b'), { status: 400, body: { code: 'FST_ERR_VALIDATION' } }))

  const accepts: Array<[accept: string, status: number]> = [
    ['text/event-stream', 200], ['*/*', 200], ['text/*', 200], ['text/html, */*;q=0.1', 200], ['TEXT/EVENT-STREAM', 200],
    ['application/json', 406], ['text/html', 406], ['text/event-stream;q=0', 406],
  ]
  for (const [accept, status] of accepts) {
    t.test(`Accept: ${accept} is ${status}`, async (t) => {
      const stream = await Stream.request(t, service.streamUrl('accept'), { headers: { accept } })
      t.equal(stream.status, status)
    })
  }

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    t.test(`${method} is 405`, async (t) => {
      const { status, headers, body } = await refused('?merchantId=a', { method })
      t.equal(status, 405)
      t.equal(headers.get('allow'), 'GET, HEAD')
      t.equal(body.code, 'RTF_METHOD_NOT_ALLOWED')
    })
  }

  t.test('a path that is not well-formed is 400, and one that leads nowhere 404, whatever its query', async (t) => {
    const malformed = await fetch(`${service.url}/api/%zz?ticket=secret`)
    t.equal(malformed.status, 400)
    t.notMatch(await malformed.text(), 'secret')
    const lost = await fetch(`${service.url}/api/nowhere?ticket=secret`)
    t.equal(lost.status, 404)
    t.notMatch(await lost.text(), 'secret')
  })

  const badHttp: Array<[name: string, request: string, status: number, code: string]> = [
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'RTF_BAD_HTTP'],
    ['a head of 20 KB', `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'RTF_HEAD_TOO_LARGE'],
  ]
  for (const [name, request, status, code] of badHttp) {
    t.test(`${name} is ${status}`, async (t) => {
      const client = new RawClient(t, service.port, request)
      await client.closed
      t.ok(client.answer.startsWith(`HTTP/1.1 ${status} `))
      t.match(client.answer, code)
    })
  }

  t.test('a body that comes with the request is of no interest', async (t) => {
    const client = new RawClient(t, service.port, 'GET /api/realtime/events?merchantId=body HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{"a":')
    await client.until('connected')
    client.send('"b"}'.repeat(20_000))
    await service.publish('body', progress(3))
    t.match(await client.until('step 3'), /^HTTP\/1\.1 200 /)
  })

  t.test('they are counted by reason', async (t) => {
    t.equal(await service.metric('connections_rejected_total{reason="unauthorized"}'), 3)
    t.equal(await service.metric('connections_rejected_total{reason="not_acceptable"}'), 3)
    t.equal(await service.metric('connections_rejected_total{reason="bad_request"}'), badIds.length + badTopics.length + 2)
  })

  t.test('no query string is logged', async (t) => {
    await fetch(`${service.url}/api/realtime/events?ticket=very-secret`)
    await Stream.open(t, service.streamUrl('logged', '&token=very-secret'))
    await service.log.first(({ msg, merchantId }) => msg === 'stream opened' && merchantId === 'logged')
    t.notMatch(JSON.stringify(service.log.all), 'secret')
  })
})
