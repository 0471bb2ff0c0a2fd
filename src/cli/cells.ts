import { stripVTControlCharacters } from 'node:util'

/*
 * Text in a terminal, where what counts is cells, not characters; and where what somebody has published must not be
 * able to do more than be read.
 */

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
/** Takes two cells, in all terminals that know it. */
const WIDE = /^(?:\p{Emoji_Presentation}|\p{Script_Extensions=Han}|\p{Script=Hangul}|\p{Script=Hiragana}|\p{Script=Katakana}|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6])|\ufe0f/u
/** Moves the cursor, rings, or turns the text that follows around. */
// eslint-disable-next-line no-control-regex -- These it is about.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g

/** On one line, and without what a terminal would act on. */
export function clean (text: string): string {
  return stripVTControlCharacters(text).replace(UNSAFE, ' ')
}

/** Exactly so many cells: padded, or cut with an ellipsis. */
export function fit (text: string, cells: number): string {
  const cut = cutTo(text, cells)
  return cut + ' '.repeat(cells - cellsOf(cut))
}

/** So many cells at most. */
export function cutTo (text: string, cells: number): string {
  if (cellsOf(text) <= cells) return text
  let [cut, used] = ['', 1]
  for (const { segment } of graphemes.segment(text)) {
    used += widthOf(segment)
    if (used > cells) break
    cut += segment
  }
  return `${cut}…`
}

export function cellsOf (text: string): number {
  let cells = 0
  for (const { segment } of graphemes.segment(text)) cells += widthOf(segment)
  return cells
}

function widthOf (grapheme: string): number {
  return WIDE.test(grapheme) ? 2 : 1
}
