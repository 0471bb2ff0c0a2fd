import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { digestOf, epochOf, formatCursor, newEpoch, parseCursor, type Cursor } from '../src/fanout/cursor.js'

const base64url = (length: number) => fc.string({ unit: fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'), minLength: length, maxLength: length })
const time = fc.integer({ min: 0, max: 999_999_999_999_999 })
const merchantId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/)

/** A cursor of a merchant: of an event, of a moment after one, or of a moment before any. */
const cursorOf = (merchantId: string): fc.Arbitrary<Cursor> => {
  const epoch = base64url(4).map((epoch) => epochOf(epoch, merchantId))
  return fc.oneof(
    fc.record({ arrivedMs: time, hash: base64url(8), epoch, caughtUpMs: fc.oneof(fc.constant(undefined), time) }, { noNullPrototype: true }),
    fc.record({ arrivedMs: time, hash: fc.constant(undefined), epoch, caughtUpMs: time }, { noNullPrototype: true }),
  )
}
const merchantAndCursor = merchantId.chain((merchantId) => cursorOf(merchantId).map((cursor) => [merchantId, cursor] as const))

t.test('what is formatted is parsed as it was, and fits into an id line, a header and a query', async (t) => {
  fc.assert(fc.property(merchantAndCursor, ([merchantId, cursor]) => {
    const text = formatCursor(cursor)
    return isDeepStrictEqual(parseCursor(text, merchantId), cursor) && /^[\w.-]{1,60}$/.test(text)
  }))
  t.pass()
})

t.test('what is no cursor is told from one: whatever is parsed looks as it was formatted', async (t) => {
  const near = merchantAndCursor.chain(([merchantId, cursor]) => {
    const text = formatCursor(cursor)
    return fc.tuple(fc.nat(text.length), fc.nat(3), fc.string({ maxLength: 3, unit: 'binary' })).map(([at, taken, put]) => [merchantId, text.slice(0, at) + put + text.slice(at + taken)] as const)
  })
  const any = fc.tuple(merchantId, fc.string({ unit: 'binary' }))
  fc.assert(fc.property(fc.oneof(near, any), ([merchantId, text]) => {
    const cursor = parseCursor(text, merchantId)
    if (cursor === undefined) return true
    // But for zeros in front, which mean nothing.
    return formatCursor(cursor) === text.replace(/(^|\.)0+(?=\d+(\.|$))/g, (all, before: string, _after, at: number) => at === 0 || text.slice(0, at).split('.').length === 3 ? before : all) &&
      [cursor.arrivedMs, cursor.caughtUpMs ?? 0].every((ms) => Number.isSafeInteger(ms) && ms >= 0)
  }), { numRuns: 5_000 })
  t.pass()
})

t.test('a cut-off cursor of an event is none, wherever it was cut off', async (t) => {
  const text = formatCursor({ arrivedMs: 1_700_000_000_000, hash: 'abcdefgh', epoch: epochOf('wxyz', 'TEST'), caughtUpMs: undefined })
  t.ok(parseCursor(text, 'TEST'))
  for (let length = 0; length < text.length; length++) t.equal(parseCursor(text.slice(0, length), 'TEST'), undefined, text.slice(0, length))
})

const bad: Array<[name: string, of: (cursor: string) => string]> = [
  ['a line break behind', (cursor) => `${cursor}\n`], ['a line break before', (cursor) => `\n${cursor}`], ['a space', (cursor) => `${cursor} `],
  ['a sign', (cursor) => `-${cursor}`], ['a plus', (cursor) => `+${cursor}`], ['a fraction too many', (cursor) => `${cursor}.1`], ['an exponent', (cursor) => `1e3${cursor}`],
  ['a time of 16 digits', (cursor) => `9999${cursor}`], ['hexadecimals', (cursor) => `0x${cursor}`], ['digits of another script', (cursor) => cursor.replace('1', '١')],
  ['full-width dots', (cursor) => cursor.replaceAll('.', '．')], ['no hash and no time that it is known for', () => '1700000000000.-.wxyz' + epochOf('', 'TEST')],
  ['commas', (cursor) => cursor.replaceAll('.', ',')], ['two of them', (cursor) => `${cursor}, ${cursor}`],
]
for (const [name, of] of bad) {
  t.test(`${name} makes a cursor none`, async (t) => {
    const cursor = formatCursor({ arrivedMs: 1_700_000_000_000, hash: 'abcdefgh', epoch: epochOf('wxyz', 'TEST'), caughtUpMs: 1_700_000_000_001 })
    t.ok(parseCursor(cursor, 'TEST'))
    t.equal(parseCursor(of(cursor), 'TEST'), undefined)
  })
}

t.test("another merchant's cursor is known as such, but for one in some thousands", async (t) => {
  const cursor = formatCursor({ arrivedMs: 1, hash: 'abcdefgh', epoch: epochOf('wxyz', 'TEST'), caughtUpMs: 1 })
  const taken = Array.from({ length: 10_000 }, (_, i) => parseCursor(cursor, `m${i}`)).filter((cursor) => cursor !== undefined)
  t.ok(taken.length < 20, `${taken.length} of 10,000`)
})

t.test('a digest is the same for the same message, and another one for another', async (t) => {
  const message = fc.tuple(fc.stringMatching(/^[a-z:]{1,8}$/), fc.string({ maxLength: 20, unit: 'binary' }).map((text) => Buffer.from(text)))
  fc.assert(fc.property(message, message, (one, other) => {
    if (!/^[\w-]{8}$/.test(digestOf(...one)) || digestOf(...one) !== digestOf(one[0], Buffer.from(one[1]))) return false
    return one[1].equals(other[1]) || digestOf(...one) !== digestOf(...other)
  }))
  const payload = Buffer.from('{}')
  const topics = ['progress', 'stage', 'completion', 'error', 'a', 'b', 'a:b']
  t.equal(new Set(topics.map((topic) => digestOf(topic, payload))).size, topics.length, 'the same payload on another topic')
})

t.test('no two epochs are the same, or hardly any', async (t) => {
  const epochs = new Set(Array.from({ length: 1_000 }, newEpoch))
  t.ok(epochs.size > 990)
  t.ok([...epochs].every((epoch) => /^[\w-]{7}$/.test(epochOf(epoch, 'TEST'))))
})
