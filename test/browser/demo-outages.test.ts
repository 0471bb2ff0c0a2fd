import t from 'tap'
import { Balancer } from '../helpers/balancer.js'
import { Proxy } from '../helpers/proxy.js'
import { Service } from '../helpers/service.js'
import { inSeconds, mint } from '../helpers/tokens.js'
import { skip } from './chromium.js'
import { Demos, step } from './demos.js'

/* What the demo page makes of a network, a service or a machine that is away for a while. */

t.test('the demo page', { skip }, async (t) => {
  const demos = await Demos.start(t)
  const { service, publish } = demos

  t.test('comes back by itself after its network was cut, and shows what it missed', async (t) => {
    const balancer = await Balancer.start(t, [service])
    await balancer.dealsTo(service)
    const demo = await demos.live(t, { merchantId: 'cut' }, balancer.url)
    await publish('cut', step('PO-1', 10))
    await demo.reaches('PO-1', 10)
    balancer.cut()
    await demo.becomes('Reconnecting…')
    await demos.deliver(t, 'cut', step('PO-1', 20), step('PO-1', 30))
    balancer.mend()
    await demo.becomes('Live')
    await demo.reaches('PO-1', 30)
    await demo.counts('replayed', 2)
    t.equal(await demo.count('events'), 3, 'each of them once')
    t.equal(await demo.count('gaps'), 0)
  })

  t.test('has its network cut by a switch, and what was missed replayed', async (t) => {
    const demo = await demos.live(t, { merchantId: 'switch' })
    const network = demo.page.getByRole('switch', { name: 'Cut the network' })
    await network.press('Space')
    await demo.becomes('Reconnecting…')
    t.equal(await network.getAttribute('aria-checked'), 'true')
    await demos.deliver(t, 'switch', step('PO-1', 20), step('PO-1', 30))
    await network.press('Space')
    await demo.becomes('Live')
    await demo.counts('replayed', 2)
    await demo.log('You cut the network').waitFor()
    await demo.log('Connected again').waitFor()

    await demo.press('Restart the stream')
    await demo.log('Connected again').nth(1).waitFor()
    t.equal(await demo.count('gaps'), 0)
    await demo.press('Restart from long ago')
    await demo.counts('gaps', 1)
    await demo.log('unknown_cursor').waitFor()
  })

  t.test('finds its connection dead when its tab wakes, and shows what it missed', async (t) => {
    const sleepy = await Service.start(t, { REDIS_URL: demos.redisUrl, HEARTBEAT_MS: '400', RETRY_MS: '200' })
    await sleepy.log.first(({ msg }) => msg === 'subscribed')
    const proxy = await Proxy.start(t, sleepy.port)
    const demo = await demos.live(t, { merchantId: 'sleep' }, `http://127.0.0.1:${proxy.port}`)
    await publish('sleep', step('PO-1', 10))
    await demo.reaches('PO-1', 10)

    const wake = await demos.sleep()
    proxy.cut()
    await publish('sleep', step('PO-1', 20))
    const before = await sleepy.metric('bytes_sent_total')
    // Many heartbeats: for longer than a connection may be silent, and another one would take.
    while (await sleepy.metric('bytes_sent_total') < before + 800) await new Promise((resolve) => { setTimeout(resolve, 100) })
    t.equal(await sleepy.metric('connections_opened_total'), 1, 'it slept')
    wake()
    await demo.reaches('PO-1', 20)
    await demo.counts('replayed', 1)
    t.equal(await demo.count('gaps'), 0)
  })

  t.test('goes on after the service was restarted under it, and says what it may have missed', async (t) => {
    const first = await Service.start(t, { REDIS_URL: demos.redisUrl, RETRY_MS: '200' })
    // Leads to no instance before it is ready: who comes before the subscription stands is told of a gap once more when it does.
    const balancer = await Balancer.start(t, [first])
    await balancer.dealsTo(first)
    const demo = await demos.live(t, { merchantId: 'restart' }, balancer.url)
    await publish('restart', step('PO-1', 10))
    await demo.reaches('PO-1', 10)
    await first.stop()
    await demo.becomes('Reconnecting…')
    await publish('restart', step('PO-1', 20))
    balancer.add(await Service.start(t, { REDIS_URL: demos.redisUrl }))
    await demo.becomes('Live')
    await demo.counts('gaps', 1)
    await demo.page.getByText('Some updates may have been missed.').waitFor()
    await publish('restart', step('PO-1', 30))
    await demo.reaches('PO-1', 30)
    t.equal(await demo.log('draining').count(), 1, 'it was told why')
  })

  t.test('gets another ticket when the one that it had expired while it was asleep', async (t) => {
    const secret = 's'.repeat(32)
    const guarded = await Service.start(t, { REDIS_URL: demos.redisUrl, AUTH_MODE: 'jwt', JWT_SECRET: secret, TICKET_TTL_S: '3', RETRY_MS: '200' })
    const demo = await demos.open(t, { merchantId: 'ticket' }, guarded.url)
    await demo.becomes('Closed')
    const tickets: string[] = []
    await demo.page.route('**/api/realtime/ticket', async (route) => {
      const answer = await route.fetch()
      tickets.push(await answer.text())
      if (tickets.length > 1) return route.fulfill({ response: answer })
      const wake = await demos.sleep()
      await route.fulfill({ response: answer })
      await new Promise((resolve) => { setTimeout(resolve, 3_100) }) // It expires.
      wake()
    })
    await demo.page.getByLabel('Token').fill(await mint({ merchantId: 'ticket', exp: inSeconds(60) }, secret))
    await demo.press('Listen')
    await demo.becomes('Live')
    t.equal(new Set(tickets).size, 2)
    await demo.log('RTF_BAD_TICKET').waitFor()
    await publish('ticket', step('PO-1', 40))
    await demo.reaches('PO-1', 40)
  })

  t.test('has run into nothing in all of this, and asked nobody but its service', async (t) => {
    t.strictSame(demos.faults, [])
  })
})
