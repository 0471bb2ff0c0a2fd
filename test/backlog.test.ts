import fc from 'fast-check'
import t from 'tap'
import { Backlog } from '../src/fanout/backlog.js'
import { EventFrame } from '../src/fanout/frame.js'

interface Event {
  readonly supersedes: string | undefined
  readonly payload: string
}

const frameOf = ({ supersedes, payload }: Event) => new EventFrame({ merchantId: 'TEST', topic: 't', name: 't', payload, supersedes, timestamp: undefined }, undefined)

t.test('it is a list from which an event takes away what it supersedes', async (t) => {
  const event = fc.record({ supersedes: fc.constantFrom(undefined, undefined, '0', 'a', 'b'), payload: fc.string({ maxLength: 40, unit: 'binary' }) })
  const action = fc.oneof({ weight: 4, arbitrary: event.map(frameOf) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 300 }) })
  fc.assert(fc.property(fc.array(action, { maxLength: 100 }), (actions) => {
    const backlog = new Backlog()
    let model: EventFrame[] = []
    for (const action of actions) {
      if (typeof action === 'number') {
        const taken = backlog.take(action)
        const bytes = taken.reduce((sum, frame) => sum + frame.bytes, 0)
        if (taken.length > 1 && bytes > action) return false
        if (taken.length === 0 && model.length > 0) return false
        const next = model[taken.length]
        if (next !== undefined && bytes + next.bytes <= action) return false // It could have taken more.
        if (taken.some((frame, i) => frame !== model[i])) return false
        model = model.slice(taken.length)
      } else {
        const { supersedes } = action.message
        const kept = model.filter(({ message }) => supersedes === undefined || message.supersedes !== supersedes)
        if (backlog.add(action) !== (kept.length < model.length)) return false
        model = [...kept, action]
      }
      if (backlog.empty !== (model.length === 0)) return false
      if (backlog.bytes !== model.reduce((sum, { text }) => sum + Buffer.byteLength(text) + 64, 0)) return false
    }
    return true
  }), { numRuns: 2_000 })
  t.pass()
})
