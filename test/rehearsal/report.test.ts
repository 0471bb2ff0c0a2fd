import t from 'tap'
import { Diary } from './diary.js'
import { isGood, report, type Outcome } from './report.js'
import { Stopwatch } from './stopwatch.js'

const account: Outcome['account'] = {
  published: 10, unknown: 0, expected: 100, received: 100, lost: 0, told: 0, silent: 0, doubled: 0, late: 0, gaps: 0, clientsTold: 0, drops: 2, widestMs: 0, findings: [],
}

/** What a rolling update that went well comes to, but for this. */
function outcome (other: Partial<Outcome['account']> = {}, happens: (stopwatch: Stopwatch, diary: Diary) => void = () => {}): Outcome {
  const [stopwatch, diary] = [new Stopwatch('before'), new Diary()]
  stopwatch.received(20)
  stopwatch.lap('pod-3 comes')
  for (const ms of [4_999, 900]) stopwatch.back(ms)
  stopwatch.received(5_000)
  happens(stopwatch, diary)
  stopwatch.lap('after')
  return { laps: stopwatch.stop(), account: { ...account, ...other }, diary, wrong: [] }
}

t.test('a rolling update is good only if nothing went wrong', async (t) => {
  t.equal(isGood(outcome()), true)
  t.notMatch(report(outcome()), 'NOT OK')
  const wrong: Record<string, Outcome> = {
    'deliveries lost': outcome({ lost: 1 }),
    doubled: outcome({ doubled: 1 }),
    'out of order': outcome({ late: 1 }),
    'gap events': outcome({ gaps: 1 }),
    'streams that ended without a close event': outcome({}, (stopwatch) => { stopwatch.cutOff() }),
    'longest time of a client without a stream, ms': outcome({}, (stopwatch) => { stopwatch.back(5_000.1) }),
    'longest wait of a client for an event, ms': outcome({}, (stopwatch) => { stopwatch.received(5_001) }),
    'restarts by the liveness probe': outcome({}, (_, diary) => { diary.restarts++ }),
    'pods that were killed, or ended with another code than 0': outcome({}, (_, diary) => { diary.badEnds++ }),
  }
  for (const [what, each] of Object.entries(wrong)) {
    t.equal(isGood(each), false, what)
    const demands = report(each).split('\n').filter((line) => /^\| (?:NOT OK|ok) /.test(line))
    t.equal(demands.length, Object.keys(wrong).length)
    t.strictSame(demands.filter((line) => line.includes('NOT OK')).map((line) => line.split(' | ')[1]), [what])
  }
})

t.test('nor if a client or a pod said so', async (t) => {
  const finding = outcome({ findings: ['m1/1 was silenced for good'] })
  t.equal(isGood(finding), false)
  t.match(report(finding), '- m1/1 was silenced for good')
  const complaint = outcome({}, (_, { complaints }) => { complaints.push('3 clients did not have to move') })
  t.equal(isGood(complaint), false)
  t.match(report(complaint), '- 3 clients did not have to move')
})
