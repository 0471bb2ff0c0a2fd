import type { styleText } from 'node:util'
import type { ConnectionState, GapEvent } from '../client/index.js'
import type { Board, Entry, Order, OrderState } from './board.js'
import { cellsOf, clean, cutTo, fit } from './cells.js'

/*
 * A board as lines of text, of a given width. Colour is decoration: each state has a mark and words of its own.
 */

/** How it is looked at. */
export interface Look {
  /** Cells of a line. */
  readonly columns: number
  /** Unix milliseconds. */
  readonly now: number
  /** Puts a colour on a text, or does not. */
  readonly paint: (format: Format, text: string) => string
  /** Whether orders are of more than one merchant. */
  readonly merchants: boolean
}

type Format = Exclude<Parameters<typeof styleText>[0], readonly unknown[]>

const MARKS: Readonly<Record<OrderState, readonly [mark: string, format: Format]>> = {
  running: ['▸', 'cyan'],
  done: ['✓', 'green'],
  failed: ['✗', 'red'],
}
const STATES: Readonly<Record<ConnectionState, readonly [mark: string, format: Format, words: string]>> = {
  connecting: ['○', 'yellow', 'connecting to'],
  open: ['●', 'green', 'connected to'],
  reconnecting: ['○', 'yellow', 'reconnecting to'],
  closed: ['✗', 'red', 'gone from'],
}
/** An order of which nothing was heard for longer may have been forgotten by whoever worked on it, in milliseconds. */
const QUIET_MS = 30_000

/** One order: mark, number, bar, percent, time, stage, message, as many of these as the width has room for. */
export function orderLine (order: Order, { columns, now, paint, merchants }: Look): string {
  const { state, progress, stage, message, merchantId, poId } = order
  const [mark, format] = MARKS[state]
  const widths = layout(columns)
  const label = merchants && merchantId !== undefined ? `${merchantId}/${poId}` : poId
  const parts = [
    paint(format, mark),
    fit(clean(label), widths.label),
    widths.bar > 0 && paint(format, bar(progress, widths.bar)),
    `${Math.floor(progress)}%`.padStart(4),
    widths.time > 0 && fit(timeOf(order, now), widths.time),
    widths.stage > 0 && fit(clean(stage), widths.stage),
  ]
  const line = parts.filter((part) => part !== false).join(' ')
  const said = clean(message)
  // Why it failed is told in full, however many lines that takes.
  if (state === 'failed') return `${cellsOf(said) > widths.message ? `${line.trimEnd()}\n ` : line} ${paint(format, said)}`
  return widths.message === 0 ? line.trimEnd() : `${line} ${paint('dim', cutTo(said, widths.message))}`
}

/** What stays, as it is written once. */
export function entryLine (entry: Entry, look: Look): string {
  if (entry.kind === 'order') return orderLine(entry.order, look)
  const { merchantId, name, raw } = entry.heard
  const from = look.merchants && merchantId !== undefined ? `${merchantId} ` : ''
  return cutTo(`· ${from}${clean(name)} ${clean(raw)}`, look.columns)
}

export function gapLine ({ reason, from, to }: GapEvent, { paint }: Look, who = ''): string {
  const since = from === 0 ? `before ${clock(to)}` : `between ${clock(from)} and ${clock(to)}`
  return paint('yellow', `! ${who}what was published ${since} may be missing (${reason})`)
}

/** The orders that are under way, as many as there is room for, and below them how it stands. */
export function boardLines (board: Board, foot: readonly string[], rows: number, look: Look): string[] {
  const running = [...board.running]
  const room = Math.max(0, rows - foot.length)
  if (running.length <= room) return [...running.map((order) => orderLine(order, look)), ...foot]
  const heard = running.toSorted((a, b) => b.heardAt - a.heardAt).slice(0, Math.max(0, room - 1))
  const shown = running.filter((order) => heard.includes(order))
  return [...shown.map((order) => orderLine(order, look)), look.paint('dim', `  and ${running.length - shown.length} more`), ...foot]
}

/** The last line: whether it is connected, and how many orders there are. */
export function statusLine (state: ConnectionState, to: string, { running, done, failed }: Board['counts'], { paint, columns }: Look): string {
  const [mark, format, words] = STATES[state]
  const counts = `${running} running, ${done} done, ${failed} failed`
  const long = `${words} ${to}`
  const room = columns - 4 - counts.length
  // The counts are what changes; where there is no room for both, the mark says the rest.
  return `${paint(format, mark)} ${room < words.length ? '' : `${cutTo(long, room)}, `}${counts}`
}

/** "8 s", "2 min", "1 h 5 min". */
export function duration (ms: number): string {
  const s = Math.max(1, Math.round(ms / 1_000))
  if (s < 100) return `${s} s`
  const min = Math.round(s / 60)
  return min < 100 ? `${min} min` : `${Math.floor(min / 60)} h ${min % 60} min`
}

export function clock (ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8)
}

function timeOf ({ state, startedAt, heardAt, dueAt }: Order, now: number): string {
  if (state !== 'running') return `in ${duration(heardAt - startedAt)}`
  if (now - heardAt > QUIET_MS) return `quiet ${duration(now - heardAt)}`
  return dueAt === undefined ? '' : `~${duration(dueAt - now)}`
}

function bar (progress: number, cells: number): string {
  // Full is for what is done.
  const full = Math.floor(progress / 100 * cells)
  return '█'.repeat(full) + '░'.repeat(cells - full)
}

/** Cells for each part, 0 where there is no room; the first in the order of their worth. */
function layout (columns: number): { label: number, bar: number, time: number, stage: number, message: number } {
  const label = Math.min(24, Math.max(6, Math.floor(columns / 4)))
  let room = columns - label - '▸  100%'.length
  const take = (most: number, least = most) => {
    const cells = room > least ? Math.min(most, room - 1) : 0
    room -= cells === 0 ? 0 : cells + 1
    return cells
  }
  return { label, bar: take(columns < 100 ? 12 : 24), time: take(10), stage: take(12), message: take(Infinity, 12) }
}
