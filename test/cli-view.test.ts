import t from 'tap'
import { reasonOf } from '../src/cli/audience.js'
import { Board, happenedAt, type Entry, type Heard } from '../src/cli/board.js'
import { cellsOf, clean, cutTo, fit } from '../src/cli/cells.js'
import { boardLines, duration, entryLine, gapLine, orderLine, statusLine, type Look } from '../src/cli/view.js'
import { RealtimeError } from '../src/client/index.js'

const NOW = 1_700_000_000_000
const look = (changes: Partial<Look> = {}): Look => ({ columns: 99, now: NOW, paint: (_, text) => text, merchants: false, ...changes })
const heard = (data: Record<string, unknown>, changes: Partial<Heard> = {}): Heard => ({ merchantId: 'TEST', name: String(data.type), data, raw: JSON.stringify(data), at: NOW, ...changes })
const progress = (poId: string, progress: number, more: Record<string, unknown> = {}) => heard({ type: 'progress', poId, progress, message: 'm', ...more })
const stage = (poId: string, stage: string, status: string) => heard({ type: 'stage', poId, stage, status, message: `${stage} ${status}` })
const failure = (poId: string, error: unknown = 'no such SKU') => heard({ type: 'error', poId, stage: 'matching', error })

const boardOf = (...all: Heard[]) => {
  const board = new Board()
  const entries = all.map((one) => board.take(one))
  return { board, entries, lines: (rows = 20, changes: Partial<Look> = {}) => boardLines(board, ['foot'], rows, look(changes)) }
}
const rowsOf = (...all: Heard[]) => boardOf(...all).lines().slice(0, -1)
const kinds = (entries: ReadonlyArray<Entry | undefined>) => entries.map((entry) => entry?.kind === 'order' ? entry.order.state : entry?.kind)

t.test('an order under way is one line: mark, number, bar, percent, time, stage, message', async (t) => {
  t.strictSame(rowsOf(stage('PO-1', 'ai_parsing', 'started'), progress('PO-1', 50, { message: '3 of 6', etaMs: 8_200 })),
    ['▸ PO-1                     ██████░░░░░░  50% ~8 s       ai_parsing   3 of 6'])
  t.strictSame(rowsOf(progress('PO-1', 99.9)), ['▸ PO-1                     ███████████░  99%                         m'], 'full is for what is done')
  t.strictSame(rowsOf(progress('a', 10), progress('b', 20), progress('a', 30)).map((line) => line.slice(0, 3)), ['▸ a', '▸ b'], 'in the order in which they began')
  t.match(rowsOf(progress('a', 10, { workflowId: 'x' }), progress('a', 10, { workflowId: 'y' })), { length: 2 }, 'of two workflows')
  t.match(rowsOf(progress('a', 10), heard({ type: 'completion', poId: 'a', stage: 'saving', confidence: 1 }))[0], / saving /)
})

t.test('an order that has ended is a line that stays', async (t) => {
  const { board, entries, lines } = boardOf(progress('a', 10), progress('b', 20), { ...progress('a', 100), at: NOW + 65_000 }, failure('b'))
  t.strictSame(kinds(entries), [undefined, undefined, 'done', 'failed'])
  t.strictSame(lines(), ['foot'])
  t.strictSame(board.counts, { running: 0, done: 1, failed: 1 })
  t.equal(entryLine(entries[2]!, look()), '✓ a                        ████████████ 100% in 65 s                 m')
  t.equal(entryLine(entries[3]!, look()), '✗ b                        ██░░░░░░░░░░  20% in 1 s     matching     no such SKU')
  t.match(entryLine(boardOf(failure('c', 5)).entries[0]!, look()), / failed$/, 'one that nobody had heard of, for a reason that is no text')
  const long = entryLine(boardOf(failure('c', 'x'.repeat(50))).entries[0]!, look())
  t.strictSame(long.split('\n')[1], `  ${'x'.repeat(50)}`, 'why it failed is told in full')
})

t.test('what comes late of an order that has ended changes nothing, but it may begin anew', async (t) => {
  const late = [progress('a', 100), stage('a', 'saving', 'completed'), heard({ type: 'completion', poId: 'a', stage: 'saving' }), progress('a', 100)]
  const { board, entries } = boardOf(...late)
  t.strictSame(kinds(entries), ['done', undefined, undefined, undefined])
  t.strictSame(board.counts, { running: 0, done: 1, failed: 0 })
  t.equal(rowsOf(...late, stage('a', 'upload', 'started')).length, 1)
  t.equal(rowsOf(...late, progress('a', 1)).length, 1)
  t.strictSame(kinds(boardOf(...late, failure('a')).entries).at(-1), 'failed', 'or fail after all')
})

t.test('an event of no order, or of another form than its name says, is shown as it is', async (t) => {
  const strange = [
    heard({ type: 'invoice', total: 1 }), heard({ type: 'progress', progress: 1 }), heard({ type: 'progress', poId: 1, progress: 1 }),
    heard({ type: 'progress', poId: 'a', progress: 'x' }), heard({ type: 'progress', poId: 'a', progress: 101 }), heard({ type: 'progress', poId: 'a', progress: -1 }),
  ]
  const { board, entries } = boardOf(...strange)
  t.strictSame(kinds(entries), Array(6).fill('event'))
  t.equal(board.counts.running, 0)
  t.equal(entryLine(entries[0]!, look()), '· invoice {"type":"invoice","total":1}')
  t.equal(entryLine(entries[0]!, look({ merchants: true })), '· TEST invoice {"type":"invoice","total":1}')
  t.equal(entryLine(boardOf({ ...strange[0]!, merchantId: undefined }).entries[0]!, look({ merchants: true, columns: 12 })), '· invoice …')
  t.match(rowsOf(heard({ type: 'stage', poId: 'a', stage: 1, message: 2 }), progress('a', 1, { etaMs: 'soon', message: undefined })), ['▸ a                        ░░░░░░░░░░░░   1%'])
})

t.test('no more is remembered than somebody can look at', async (t) => {
  const { board } = boardOf(...Array.from({ length: 1_001 }, (_, i) => progress(`PO-${i}`, 1)))
  t.equal(board.counts.running, 1_000)
  t.equal([...board.running][0]!.poId, 'PO-1', 'the oldest is forgotten')
  const ended = boardOf(...Array.from({ length: 1_001 }, (_, i) => progress(`PO-${i}`, 100)))
  t.strictSame(kinds([ended.board.take(progress('PO-1000', 100)), ended.board.take(progress('PO-0', 100))]), [undefined, 'done'])
})

t.test('the time that is left counts down; an order that nobody speaks of is called quiet', async (t) => {
  const { lines } = boardOf(progress('a', 50, { etaMs: 12_000 }))
  t.match(lines(9, { now: NOW + 5_000 })[0], /50% ~7 s /)
  t.match(lines(9, { now: NOW + 29_000 })[0], /50% ~1 s /)
  t.match(lines(9, { now: NOW + 31_000 })[0], /50% quiet 31 s /)
  t.match(rowsOf(progress('a', 50, { etaMs: 12_000 }), stage('a', 's', 'started'))[0], /~12 s/, 'a stage says nothing of it')
  t.notMatch(rowsOf(progress('a', 50, { etaMs: 12_000 }), progress('a', 51))[0], /~/, 'one that nobody estimates any more')
  t.strictSame([0, 1_400, 99_000, 100_000, 3_600_000, 6_000_000, 7_500_000].map(duration), ['1 s', '1 s', '99 s', '2 min', '60 min', '1 h 40 min', '2 h 5 min'])
})

t.test('what is replayed happened when its publisher says, what is new now', async (t) => {
  t.strictSame([NOW - 60_000, NOW - 4_000, NOW + 60_000, 'x', undefined].map((timestamp) => happenedAt({ timestamp }, NOW)), [NOW - 60_000, NOW, NOW, NOW, NOW])
})

t.test('a narrow terminal has fewer parts, none has a line that is too long, and the percent are always there', async (t) => {
  const { board } = boardOf(stage('PO-123456789-123456789-123456789', 'ai_parsing', 'started'), progress('PO-123456789-123456789-123456789', 50, { message: 'a long message, longer than any terminal is wide'.repeat(9), etaMs: 8_000 }))
  const [order] = [...board.running]
  for (let columns = 20; columns < 250; columns++) {
    const line = orderLine(order!, look({ columns, merchants: columns % 2 === 0 }))
    if (cellsOf(line) > columns || !line.includes(' 50%')) t.fail(`${columns}: ${line}`)
  }
  t.equal(orderLine(order!, look({ columns: 24 })), '▸ PO-12…  50% ~8 s', 'how long it takes has room where the bar has none')
  t.equal(orderLine(order!, look({ columns: 40 })), '▸ PO-123456… ██████░░░░░░  50%')
  t.match(orderLine(order!, look({ columns: 120 })), /█{12}░{12} {2}50% ~8 s {7}ai_parsing {3}a long.*…$/)
})

t.test('more orders than lines: those that were heard of last, and how many more there are', async (t) => {
  const { lines } = boardOf(...['a', 'b', 'c', 'd', 'e'].map((poId) => progress(poId, 1)), { ...progress('a', 2), at: NOW + 2 }, { ...progress('d', 2), at: NOW + 1 })
  t.strictSame(lines(6).map((line) => line.slice(0, 4).trim()), ['▸ a', '▸ b', '▸ c', '▸ d', '▸ e', 'foot'])
  t.strictSame(lines(4).map((line) => line.trim().slice(0, 10).trim()), ['▸ a', '▸ d', 'and 3 more', 'foot'])
  t.strictSame(lines(1), ['  and 5 more', 'foot'], 'however low it is')
})

t.test('how it stands is told by a mark and words, and colour is decoration', async (t) => {
  const counts = { running: 1, done: 2, failed: 3 }
  t.strictSame((['connecting', 'open', 'reconnecting', 'closed'] as const).map((state) => statusLine(state, 'URL', counts, look())), [
    '○ connecting to URL, 1 running, 2 done, 3 failed', '● connected to URL, 1 running, 2 done, 3 failed',
    '○ reconnecting to URL, 1 running, 2 done, 3 failed', '✗ gone from URL, 1 running, 2 done, 3 failed',
  ])
  t.equal(statusLine('open', 'http://localhost:3001', counts, look({ columns: 48 })), '● connected to htt…, 1 running, 2 done, 3 failed')
  t.equal(statusLine('open', 'URL', counts, look({ columns: 38 })), '● 1 running, 2 done, 3 failed')
  const painted = look({ paint: (format, text) => `<${String(format)}>${text}</>` })
  t.match(statusLine('open', 'URL', counts, painted), '<green>●</> connected')
  t.match(entryLine(boardOf(failure('a')).entries[0]!, painted), /^<red>✗<\/>.*<red>no such SKU<\/>$/)
})

t.test('a gap says between when, as far as it is known', async (t) => {
  const at = (ms: number) => new Date(ms).toTimeString().slice(0, 8)
  t.equal(gapLine({ type: 'gap', reason: 'redis_outage', from: NOW - 5_000, to: NOW }, look(), 'TEST: '), `! TEST: what was published between ${at(NOW - 5_000)} and ${at(NOW)} may be missing (redis_outage)`)
  t.match(gapLine({ type: 'gap', reason: 'unknown_cursor', from: 0, to: NOW }, look()), `published before ${at(NOW)} may`)
})

t.test('why there is no connection is dug out of what fetch throws', async (t) => {
  const lost = (cause?: unknown) => reasonOf(new RealtimeError('CONNECTION_LOST', 'it was lost', { cause }))
  const refused = new Error('connect ECONNREFUSED')
  t.equal(lost(), 'it was lost')
  t.equal(lost(new TypeError('terminated')), 'it was lost')
  t.equal(lost(new TypeError('fetch failed', { cause: refused })), 'it was lost (connect ECONNREFUSED)')
  t.equal(lost(new TypeError('fetch failed', { cause: Object.assign(new AggregateError([refused, refused]), { code: 'ECONNREFUSED' }) })), 'it was lost (ECONNREFUSED)', 'of all addresses')
})

t.test('what is published can do nothing to the terminal', async (t) => {
  t.equal(clean('a\u001b[2Jb\u001b]0;title\u0007c\r\nd\u0000e\u009bf\u202eg'), 'abc d e g')
  const evil = '\u001b[31m\u0007\r\n\u009b2J\u202e'
  const { board, entries } = boardOf(stage(`a${evil}b`, evil, 'started'), progress(`a${evil}b`, 1, { message: evil }), failure(`c${evil}`, evil), heard({ type: 'x', evil }, { raw: `{"a":"${evil}"}` }))
  for (const line of [...boardLines(board, [], 9, look()), ...entries.slice(2).map((entry) => entryLine(entry!, look()))]) {
    // eslint-disable-next-line no-control-regex -- These it is about.
    t.notMatch(line, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  }
})

t.test('what is wide takes two cells', async (t) => {
  t.strictSame(['abc', '注文', '한국', 'カナ', '🎉', '👩‍👩‍👧', '✔️', 'é', 'e\u0301', '（'].map(cellsOf), [3, 4, 4, 4, 2, 2, 2, 1, 1, 2])
  t.strictSame([fit('注文書', 5), fit('注文書', 6), fit('a', 3), fit('abcd', 3), cutTo('abcd', 4)], ['注文…', '注文書', 'a  ', 'ab…', 'abcd'])
})
