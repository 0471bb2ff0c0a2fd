import t from 'tap'
import { Repeats } from '../src/client/repeats.js'
import { Listener, numbered } from './helpers/listener.js'
import { Balancer } from './helpers/balancer.js'
import { TestRedis } from './helpers/redis.js'
import { Service } from './helpers/service.js'

/*
 * What our own client takes for a repeat. That it loses nothing by it, whatever instances and their clocks do, is shown by
 * test/model.test.ts.
 */

/** The cursor of an event: what it looks like, when it arrived, and at which instance. */
const at = (look: string, ms: number, instance = 'A') => `${1_800_000_000_000 + ms}.${look.padEnd(8, '_')}.${instance.padEnd(7, '_')}`
const GREETED_MS = 1_800_000_060_000

/** Those of some events that are not taken for repeats. */
const fresh = (repeats: Repeats, ids: readonly string[]) => ids.filter((id) => !repeats.has(id))

t.test('where a client may be found again', async (t) => {
  const x = at('x', 1_000)
  const y = at('y', 2_000)
  const z = at('z', 3_000)
  const moment = (id: string, ms: number) => `${id}.${1_800_000_000_000 + ms}`
  /** What was given, the place that it is greeted with, what is sent then, and what of it is new. */
  const table: Array<[name: string, given: string[], greeting: string, sent: string[], expected: string[]]> = [
    ['the same instance goes on', [x, y], y, [z], [z]],
    ['the same instance goes on, with what looks like the last one', [x, y], y, [at('y', 2_500)], [at('y', 2_500)]],
    ['two of one millisecond that look the same, of which it had one', [x], x, [x, y], [x, y]],
    ['two of one millisecond that look the same, both of which it had', [x, x], x, [x, y], [y]],
    ['another instance knows the place', [x, y], at('y', 2_100, 'B'), [at('z', 3_100, 'B')], [at('z', 3_100, 'B')]],
    ['another instance knows the place; what looks like it came again', [x, y], at('y', 2_100, 'B'), [at('y', 2_600, 'B')], [at('y', 2_600, 'B')]],
    ['another instance knows the first of two that look like the place', [at('y', 0), x, y], at('y', 100, 'B'), [at('x', 1_100, 'B'), at('y', 2_100, 'B'), at('z', 3_100, 'B')], [at('z', 3_100, 'B')]],
    ['another instance knows the last of two that look like the place', [at('y', 0), x, y], at('y', 2_100, 'B'), [at('x', 2_600, 'B'), at('y', 2_700, 'B')], [at('x', 2_600, 'B'), at('y', 2_700, 'B')]],
    ['another instance knows the place by something that the client never had', [x], at('w', 100, 'B'), [at('x', 1_100, 'B')], [at('x', 1_100, 'B')]],
    ['another instance does not know the place', [x, y, z], moment(z, 4_000), [at('y', 2_100, 'B'), at('z', 3_100, 'B'), at('w', 5_000, 'B')], [at('w', 5_000, 'B')]],
    ['another instance does not know the place, and what it sends was not had', [x, y], moment(y, 4_000), [at('w', 3_000, 'B'), at('y', 2_100, 'B')], [at('w', 3_000, 'B'), at('y', 2_100, 'B')]],
    ['what looks the same, but came 5 s later', [x], moment(x, 1_500), [at('x', 6_001, 'B')], [at('x', 6_001, 'B')]],
    ['a clock that goes before the other', [y, z], moment(z, 4_000), [at('y', -2_900, 'B'), at('z', -1_900, 'B')], []],
    ['only part of what it had comes again: nothing after that is a repeat', [x, y, z], moment(z, 4_000), [at('x', 1_100, 'B'), at('z', 3_100, 'B'), at('y', 2_100, 'B')], [at('z', 3_100, 'B'), at('y', 2_100, 'B')]],
    ['nothing was given yet', [], at('x', 0, 'B'), [at('x', 1_100, 'B')], [at('x', 1_100, 'B')]],
    ['cursors of another form', ['1', 'two', ''], 'two', ['two', '3', ''], ['two', '3', '']],
  ]
  for (const [name, given, greeting, sent, expected] of table) {
    t.test(name, async (t) => {
      const repeats = new Repeats()
      t.strictSame(fresh(repeats, given), given)
      repeats.resumed(greeting, GREETED_MS)
      t.strictSame(fresh(repeats, sent), expected)
      t.strictSame(fresh(repeats, sent), sent, 'live, nothing is a repeat')
    })
  }

  t.test('what arrived after the greeting is no repeat', async (t) => {
    const repeats = new Repeats()
    t.strictSame(fresh(repeats, [x]), [x])
    const later = at('x', 1_100, 'B')
    repeats.resumed(moment(x, 1_000), 1_800_000_001_099)
    t.strictSame(fresh(repeats, [later]), [later])
  })

  t.test('twice in a row', async (t) => {
    const repeats = new Repeats()
    t.strictSame(fresh(repeats, [x, y]), [x, y])
    repeats.resumed(moment(y, 4_000), GREETED_MS)
    t.strictSame(fresh(repeats, [at('x', 1_100, 'B')]), [])
    repeats.resumed(moment(y, 4_000), GREETED_MS)
    t.strictSame(fresh(repeats, [at('x', 1_200, 'C'), at('y', 2_200, 'C'), at('z', 3_200, 'C')]), [at('z', 3_200, 'C')])
  })

  t.test('of very many, the last thousand are remembered', async (t) => {
    const many = Array.from({ length: 5_500 }, (_, i) => at(`n${i}`, i))
    const again = (i: number) => at(`n${i}`, i + 10, 'B')
    const repeats = new Repeats()
    t.equal(fresh(repeats, many).length, many.length)
    repeats.resumed(moment(many.at(-1)!, 6_000), GREETED_MS)
    t.strictSame(fresh(repeats, [again(4_500)]), [], 'the first of them')
    repeats.resumed(moment(many.at(-1)!, 6_000), GREETED_MS)
    t.strictSame(fresh(repeats, [again(4_499)]), [again(4_499)], 'the last of those that are not')
  })
})

t.test('what is published twice on purpose comes twice; what another instance replays, once', async (t) => {
  const redis = await TestRedis.start(t)
  const instance = async () => {
    const service = await Service.start(t, { REDIS_URL: redis.url })
    await service.log.first(({ msg }) => msg === 'subscribed')
    return service
  }
  const [one, two] = await Promise.all([instance(), instance()])
  const balancer = await Balancer.start(t, [one])
  await balancer.dealsTo(one)
  const listener = await Listener.open(t, balancer)
  const publish = async (...numbers: number[]) => {
    for (const n of numbers) await redis.cli('PUBLISH', 'merchant:TEST:numbers', JSON.stringify(numbered(n)))
  }

  await publish(2, 1, 2)
  await listener.heard.count(3)
  balancer.add(two)
  await balancer.dealsTo(two)
  balancer.remove(one)
  listener.client.reconnect()
  await listener.opened(2)
  await publish(2, 2, 3)
  await listener.number(3)
  // An instance that has stood for less than 5 s can vouch for nothing.
  t.strictSame(listener.story, [2, 1, 2, 'gap: unknown_cursor', 2, 2, 3])
  t.equal(await two.metric('events_delivered_total{topic="other"}'), 5, 'the other instance sent all that follows the first of those that look alike')
})
