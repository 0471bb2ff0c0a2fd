import fc from 'fast-check'
import t from 'tap'
import type { TypicalDuration } from '../src/publisher/durations.js'
import { Eta } from '../src/publisher/eta.js'
import { replay, secondHalf, errorOf } from './bench/eta-replay.js'
import { heldShare, kindsOfRuns } from './bench/eta-trial.js'

const SECOND = 1_000
const one = [{ name: 'parse', weight: 1 }]
const usually = (durations: Record<string, number | TypicalDuration>) =>
  new Map(Object.entries(durations).map(([stage, usual]) => [stage, typeof usual === 'number' ? { ms: usual } : usual]))

/** Started at 0, and a report of a hundredth each 100 ms, so many times: 10 s in all. */
function steady (reports: number, typical?: ReadonlyMap<string, TypicalDuration>): Eta {
  const eta = new Eta(one, typical)
  eta.started('parse', 0)
  for (let i = 1; i <= reports; i++) eta.progressed('parse', i / 100, i * 100)
  return eta
}

t.test('whatever happens, it says nothing, or a whole number of milliseconds that is not negative', async (t) => {
  const names = ['a', 'b', 'c']
  const name = fc.constantFrom(...names)
  const duration = fc.oneof(fc.double({ min: 0, max: 1e9 }), fc.double())
  const time = fc.oneof({ weight: 9, arbitrary: fc.double({ min: 0, max: 1e7, noNaN: true }) }, fc.double({ noNaN: true, noDefaultInfinity: true }))
  const happening = fc.oneof(
    fc.record({ what: fc.constant('started' as const), name, at: time, items: fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: undefined }) }),
    { weight: 4, arbitrary: fc.record({ what: fc.constant('progressed' as const), name, at: time, fraction: fc.oneof(fc.double({ min: 0, max: 1 }), fc.double()) }) },
    fc.record({ what: fc.constant('completed' as const), name, at: time }),
    fc.record({ what: fc.constant('learn' as const), typical: fc.dictionary(name, fc.record({ ms: duration, msPerItem: duration }, { requiredKeys: ['ms'] })) }),
  )
  const plan = fc.tuple(...names.map((name) => fc.record({ name: fc.constant(name), weight: fc.double({ min: 1e-3, max: 1e3, noNaN: true }), items: fc.integer({ min: 1, max: 1_000 }) }, { requiredKeys: ['name', 'weight'] })))
  fc.assert(fc.property(plan, fc.array(happening, { maxLength: 30 }), fc.boolean(), (stages, happenings, inOrder) => {
    const eta = new Eta(stages)
    const check = (now: number) => {
      const said = eta.remainingMs(now)
      return said === undefined || (Number.isSafeInteger(said) && said >= 0 && !Object.is(said, -0))
    }
    if (eta.remainingMs(0) !== undefined) return false
    let now = 0
    for (const happening of happenings) {
      if (happening.what === 'learn') {
        eta.learn(new Map(Object.entries(happening.typical)))
      } else {
        now = inOrder ? now + Math.abs(happening.at) : happening.at
        if (happening.what === 'started') {
          eta.started(happening.name, now)
          if (happening.items !== undefined) eta.expect(happening.name, happening.items)
        } else if (happening.what === 'progressed') eta.progressed(happening.name, happening.fraction, now)
        else eta.completed(happening.name, now)
      }
      if (!check(now) || !check(now + 1) || !check(now + 1e6) || !check(now - 1)) return false
    }
    for (const name of names) eta.completed(name, now)
    return eta.remainingMs(now) === 0
  }), { numRuns: 1_000 })
  t.pass()
})

t.test('it settles to within a fifth of the truth after half of a run, by as much of the time as is claimed', async (t) => {
  const claimed = kindsOfRuns().filter(({ claim }) => claim !== undefined)
  t.ok(claimed.some(({ name }) => name.startsWith('recorded')) && claimed.length > 10)
  for (const { name, runs, claim } of claimed) {
    const held = heldShare(runs)
    t.ok(held >= claim!, `${name}: ${(held * 100).toFixed(0)} of ${claim! * 100} %`)
  }
})

t.test('of steady runs, always', async (t) => {
  const steady = kindsOfRuns().filter(({ name }) => name.startsWith('steady'))
  t.equal(steady.length, 3)
  for (const { name, runs } of steady) {
    const errors = runs.flatMap((run) => secondHalf(replay(run))).map((saying) => Math.abs(errorOf(saying)!))
    t.ok(Math.max(...errors) < 0.11, `${name}: ${Math.max(...errors)}`)
  }
})

t.test('when it begins to speak', async (t) => {
  t.test('before anything has started, nothing is said, however much is known', async (t) => {
    t.equal(new Eta(one, usually({ parse: 10 * SECOND })).remainingMs(0), undefined)
  })

  t.test('without history, after three steady reports or a tenth of the stage', async (t) => {
    t.equal(steady(2).remainingMs(200), undefined)
    t.equal(steady(3).remainingMs(300), 9_700)
    const uneven = new Eta(one)
    uneven.started('parse', 0)
    for (const [fraction, at] of [[0.01, 10], [0.02, 20], [0.03, 30], [0.04, 3_000]] as const) uneven.progressed('parse', fraction, at)
    t.equal(uneven.remainingMs(3_000), undefined, 'they are as good as one')
    uneven.progressed('parse', 0.1, 3_010)
    t.type(uneven.remainingMs(3_010), 'number')
  })

  t.test('progress that took no time says nothing', async (t) => {
    const eta = new Eta(one)
    eta.started('parse', 0)
    eta.progressed('parse', 0.8, 0)
    t.equal(eta.remainingMs(0), undefined)
    eta.completed('parse', 0)
    t.equal(eta.remainingMs(0), 0)
  })

  t.test('with history at once', async (t) => {
    t.equal(steady(0, usually({ parse: 10 * SECOND })).remainingMs(0), 10_000)
    t.equal(steady(0, usually({ parse: 10 * SECOND })).remainingMs(4_000), 6_000)
  })

  t.test('or as soon as history comes', async (t) => {
    const eta = steady(1)
    t.equal(eta.remainingMs(100), undefined)
    eta.learn(usually({ other: 5 }))
    t.equal(eta.remainingMs(100), undefined)
    eta.learn(usually({ parse: 10 * SECOND }))
    t.equal(eta.remainingMs(100), 9_900)
    eta.learn(new Map())
    t.equal(eta.remainingMs(100), 9_900, 'what is known stays')
  })

  t.test('history that is none is not believed', async (t) => {
    for (const ms of [NaN, Infinity, -5]) t.equal(steady(0, usually({ parse: ms })).remainingMs(0), undefined, String(ms))
  })

  t.test('what no number of milliseconds can tell is not said', async (t) => {
    t.equal(steady(0, usually({ parse: 1e16 })).remainingMs(0), undefined)
  })
})

t.test('a stage that runs', async (t) => {
  t.test('counts down between reports', async (t) => {
    const eta = steady(50)
    t.strictSame([5_000, 5_040, 5_090].map((now) => eta.remainingMs(now)), [5_000, 4_960, 4_910])
  })

  t.test('that stalls grows longer, and ever longer', async (t) => {
    for (const reports of [5, 50, 99]) {
      const eta = steady(reports)
      const said = [100, 200, 500, 1_000, 5_000, 60_000].map((waited) => eta.remainingMs(reports * 100 + waited)!)
      t.strictSame(said, said.toSorted((a, b) => a - b), `after ${reports} reports: ${said.join()}`)
      t.ok(said[0]! > 0 && said.at(-1)! > 15_000)
    }
    t.ok(steady(50).remainingMs(65_000)! > 60_000, 'half of the work has taken 65 s by now')
  })

  t.test('that has done all of its work, but is not completed, does so, too', async (t) => {
    const eta = steady(100)
    t.equal(eta.remainingMs(10_000), 0)
    t.equal(eta.remainingMs(20_000), 3_000)
  })

  t.test('that was expected to take other than it does is soon judged by what it does', async (t) => {
    for (const off of [0.5, 2]) {
      const typical = usually({ parse: off * 10 * SECOND })
      t.equal(steady(0, typical).remainingMs(0), off * 10_000)
      const [tenth, half] = [steady(10, typical).remainingMs(1_000)! / 9_000, steady(50, typical).remainingMs(5_000)! / 5_000]
      t.ok(Math.abs(tenth - 1) > 0.1 && Math.abs(tenth - 1) < 0.8 * Math.abs(off - 1), `after a tenth, in part: ${tenth}`)
      t.ok(Math.abs(half - 1) < 0.02, `after half: ${half}`)
    }
  })

  t.test('that reports once and is silent then is still believed to take what it usually does', async (t) => {
    const eta = new Eta(one, usually({ parse: 10 * SECOND }))
    eta.started('parse', 0)
    eta.progressed('parse', 0.05, 5)
    t.ok(eta.remainingMs(5_000)! > 2_000 && eta.remainingMs(5_000)! < 8_000, String(eta.remainingMs(5_000)))
  })

  t.test('follows a pace that has changed', async (t) => {
    const eta = steady(50)
    for (let i = 1; i <= 20; i++) eta.progressed('parse', 0.5 + i / 100, 5_000 + i * 200)
    t.ok(Math.abs(eta.remainingMs(9_000)! / 6_000 - 1) < 0.15, String(eta.remainingMs(9_000)))
  })

  t.test('is not impressed by reports that come in bursts', async (t) => {
    const eta = new Eta(one)
    eta.started('parse', 0)
    for (let burst = 1; burst <= 5; burst++) {
      for (let i = 1; i <= 10; i++) eta.progressed('parse', (burst - 1) / 10 + i / 100, burst * SECOND)
    }
    const said = eta.remainingMs(5_000)!
    t.ok(Math.abs(said / 5_000 - 1) < 0.1, String(said))
    t.equal(eta.remainingMs(5_900), said - 900)
  })

  t.test('that reports nothing takes what it usually does and, when it overruns, longer by the longer it does', async (t) => {
    const eta = new Eta(one, usually({ parse: 10 * SECOND }))
    eta.started('parse', SECOND)
    t.strictSame([1, 5, 10, 11, 21, 61].map((s) => eta.remainingMs(s * SECOND)), [10_000, 6_000, 1_000, 650, 3_650, 15_650])
  })

  t.test('that usually takes no time is over at once, or nobody knows when', async (t) => {
    const eta = steady(0, usually({ parse: 0 }))
    t.strictSame([0, 1_000, 10_000].map((now) => eta.remainingMs(now)), [0, 300, 3_000])
  })

  t.test('is expected by its items, where they are known and how long one takes', async (t) => {
    const typical = usually({ parse: { ms: 10 * SECOND, msPerItem: 50 } })
    t.equal(steady(0, typical).remainingMs(0), 10_000)
    const planned = new Eta([{ name: 'parse', weight: 1, items: 40 }], typical)
    planned.started('parse', 0)
    t.equal(planned.remainingMs(0), 2_000)
    t.equal(planned.remainingMs(1_000), 1_000, 'nobody has promised that they are reported')
    const told = new Eta(one, typical)
    told.started('parse', 0)
    told.expect('parse', 400)
    t.equal(told.remainingMs(0), 20_000)
  })

  t.test('is not moved by what is no progress, or comes when it does not run', async (t) => {
    const eta = new Eta(one)
    eta.progressed('parse', 0.9, 0)
    t.equal(eta.remainingMs(0), undefined)
    eta.started('parse', 0)
    for (let i = 1; i <= 50; i++) {
      eta.progressed('parse', i / 100, i * 100)
      for (const fraction of [NaN, -1, 0, i / 200, i / 100]) eta.progressed('parse', fraction, i * 100 + 1)
    }
    t.equal(eta.remainingMs(5_000), 5_000)
    eta.progressed('parse', 7, 10_000)
    t.equal(eta.remainingMs(10_000), 0, 'more than all is all')
    eta.completed('parse', 10_000)
    eta.progressed('parse', 0.5, 11_000)
    t.equal(eta.remainingMs(11_000), 0)
  })

  t.test('that is run again begins anew', async (t) => {
    const eta = steady(50)
    eta.started('parse', 20_000)
    t.equal(eta.remainingMs(20_000), undefined)
    for (let i = 1; i <= 50; i++) eta.progressed('parse', i / 100, 20_000 + i * 10)
    t.equal(eta.remainingMs(20_500), 500)
    eta.completed('parse', 20_600)
    eta.started('parse', 30_000)
    t.equal(eta.remainingMs(30_000), undefined, 'that it was completed before says nothing')
  })

  t.test('that the workflow does not have is the caller\'s mistake', async (t) => {
    const eta = new Eta(one)
    t.throws(() => { eta.started('prase', 0) }, new RangeError('the workflow has no stage "prase"'))
    t.throws(() => { eta.progressed('prase', 0.5, 0) }, RangeError)
    t.throws(() => { eta.completed('prase', 0) }, RangeError)
  })
})

t.test('stages that are still to come', async (t) => {
  const three = [{ name: 'upload', weight: 1 }, { name: 'parse', weight: 8 }, { name: 'save', weight: 1 }]

  t.test('take what they usually do', async (t) => {
    const eta = new Eta(three, usually({ upload: 1_000, parse: 5_000, save: 500 }))
    eta.started('upload', 0)
    t.equal(eta.remainingMs(0), 6_500)
    eta.completed('upload', 1_000)
    t.equal(eta.remainingMs(1_000), 5_500)
    t.equal(eta.remainingMs(1_500), 5_500, 'while none runs, nothing is done')
  })

  t.test('are believed to be slower, too, when the others were, the more of them have run', async (t) => {
    const eta = new Eta(three, usually({ upload: 1_000, parse: 5_000, save: 500 }))
    eta.started('upload', 0)
    eta.completed('upload', 2_000)
    const first = eta.remainingMs(2_000)! / 5_500
    eta.started('parse', 2_000)
    eta.completed('parse', 12_000)
    const second = eta.remainingMs(12_000)! / 500
    t.ok(first > 1.4 && second > first && second < 2, `${first}, ${second}`)
  })

  t.test('take what their weight stands for, by what was measured of the others', async (t) => {
    const eta = new Eta(three)
    eta.started('upload', 0)
    t.equal(eta.remainingMs(500), undefined)
    eta.completed('upload', 1_000)
    t.equal(eta.remainingMs(1_000), 9_000)
    eta.started('parse', 1_000)
    t.equal(eta.remainingMs(3_000), 7_000, 'and so when they run')
  })

  t.test('or, as long as nothing was, by what is usual', async (t) => {
    const eta = new Eta(three, usually({ save: 500 }))
    eta.started('upload', 0)
    t.equal(eta.remainingMs(0), 5_000)
  })

  t.test('but no time is no measure', async (t) => {
    const eta = new Eta(three)
    eta.started('upload', 0)
    eta.completed('upload', 0)
    t.equal(eta.remainingMs(0), undefined)
  })

  t.test('and run at the same time, are waited for together', async (t) => {
    const eta = new Eta(three, usually({ upload: 1_000, parse: 5_000, save: 500 }))
    eta.started('parse', 0)
    eta.started('upload', 0)
    t.equal(eta.remainingMs(0), 5_500)
  })

  t.test('may be left out', async (t) => {
    const eta = new Eta(three, usually({ upload: 1_000, parse: 5_000, save: 500 }))
    eta.started('upload', 0)
    eta.completed('parse', 0)
    t.equal(eta.remainingMs(0), 1_500)
  })
})
