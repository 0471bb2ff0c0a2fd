import { audit, type Account, type Marks } from './audit.js'
import type { Fault, Luck } from './faults.js'
import type { Site } from './site.js'
import { Overdue, within } from './within.js'

const FAULT_MS = 90_000
const CALM_MS = 45_000
/**
 * After an outage a cursor is good again on other instances when it is by so much younger than the subscription, clocks
 * and all (DESIGN §3); before that, a client that moves is told of a gap, and rightly so. In milliseconds.
 */
const SETTLED_MS = 7_000

/** What one fault came to. */
export interface Phase extends Account {
  readonly fault: Fault
  readonly seconds: number
  /** The next one can follow: all is well again, whatever became of events. */
  readonly over: boolean
  /** What was published up to here is accounted for. */
  readonly to: Marks
}

/** Has one fault strike, waits until the dust has settled, and compares the ledgers with what has been published since `from`. */
export async function endure (site: Site, fault: Fault, luck: Luck, from: Marks): Promise<Phase> {
  const startedAt = performance.now()
  const { fleet, crowd } = site
  const overdue: string[] = []
  const lossesBefore = fleet.losses
  let to: Marks | undefined
  try {
    if (fault.owed === 'all') await within(FAULT_MS, fleet.stood(SETTLED_MS), () => 'not all instances have had their subscriptions for long enough')
    await within(FAULT_MS, fault.strike(site, luck), () => `it is not over: ${fault.says}`)
    await within(CALM_MS, crowd.complete(), () => crowd.absent)
    to = site.marks
    await site.settled()
    await within(CALM_MS, crowd.past(to), () => crowd.behind(to!))
  } catch (error) {
    if (!(error instanceof Overdue)) throw error
    overdue.push(error.message)
  }
  to ??= site.marks
  const { findings, ...sums } = audit(crowd.ledgers, from, to, fault.owed)
  const unhurt = luck.full && sums.drops === 0 && fleet.losses === lossesBefore ? ['nobody lost a connection: nothing is shown'] : []
  return {
    ...sums,
    findings: [...overdue, ...unhurt, ...fleet.faults.splice(0), ...findings],
    fault,
    seconds: (performance.now() - startedAt) / 1_000,
    over: overdue.length === 0,
    to,
  }
}
