import type { Saying } from './eta-replay.js'

/** A run as it is drawn. */
export interface Plotted {
  readonly name: string
  readonly sayings: readonly Saying[]
}

/* In pixels. */
const COLUMNS = 4
const PANEL = { width: 340, height: 210 }
const PLOT = { left: 48, top: 30, width: 272, height: 130 }
const HEAD = 58
/** What is said beyond so many times the length of the run is cut off. */
const CEILING = 1.5

const STYLE = `
  svg { background: #fff; color: #1f2328; font: 11px system-ui, sans-serif }
  text { fill: currentColor }
  .title { font-size: 15px; font-weight: 600 }
  .name { font-weight: 600 }
  .quiet { fill: #59636e }
  .frame { stroke: #d1d9e0; fill: none }
  .grid { stroke: #d1d9e0; stroke-dasharray: 2 3 }
  .fifth { fill: #1a7f37; fill-opacity: .18 }
  .truth { stroke: #59636e; stroke-width: 1.25; stroke-dasharray: 5 3; fill: none }
  .said { stroke: #0969da; stroke-width: 1.75; fill: none; stroke-linejoin: round }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; color: #f0f6fc }
    .quiet { fill: #9198a1 }
    .frame, .grid { stroke: #3d444d }
    .fifth { fill: #3fb950; fill-opacity: .22 }
    .truth { stroke: #9198a1 }
    .said { stroke: #58a6ff }
  }`

/** An SVG of what was said of each run against the truth, over time. */
export function plot (runs: readonly Plotted[]): string {
  const width = COLUMNS * PANEL.width
  const height = HEAD + Math.ceil(runs.length / COLUMNS) * PANEL.height
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="What was said to be left of each run, and what was">`,
    `<style>${STYLE}\n</style>`,
    '<text class="title" x="12" y="22">ETA against truth</text>',
    legend(),
    ...runs.map((run, i) => panel(run, i % COLUMNS * PANEL.width, HEAD + Math.floor(i / COLUMNS) * PANEL.height)),
    '</svg>',
    '',
  ].join('\n')
}

function legend (): string {
  return [
    '<g transform="translate(12 42)">',
    '<path class="said" d="M0-4h24"/><text x="30">what Eta says is left</text>',
    '<path class="truth" d="M170-4h24"/><text x="200">what is left</text>',
    '<rect class="fifth" x="290" y="-10" width="24" height="11"/><text x="320">within a fifth of it (of a tenth of the run at least), after half of the time</text>',
    '</g>',
  ].join('')
}

function panel ({ name, sayings }: Plotted, x: number, y: number): string {
  const total = sayings[0]!.left
  const across = (ms: number) => round(PLOT.width * ms / total)
  const up = (ms: number) => round(PLOT.height * (1 - Math.min(ms, CEILING * total) / (CEILING * total)))
  const marks = [0, 0.5, 1]
  return [
    `<g transform="translate(${x + PLOT.left} ${y + PLOT.top})">`,
    `<text class="name" y="-10">${escape(name)}</text>`,
    ...marks.map((mark) => `<text class="quiet" x="-6" y="${up(mark * total) + 4}" text-anchor="end">${seconds(mark * total)}</text>`),
    ...marks.map((mark) => `<text class="quiet" x="${across(mark * total)}" y="${PLOT.height + 14}" text-anchor="middle">${seconds(mark * total)}</text>`),
    `<text class="quiet" x="${PLOT.width / 2}" y="${PLOT.height + 29}" text-anchor="middle">passed, s</text>`,
    `<text class="quiet" transform="translate(-34 ${PLOT.height / 2}) rotate(-90)" text-anchor="middle">left, s</text>`,
    `<path class="grid" d="M${across(total / 2)} 0V${PLOT.height}M0 ${up(total)}H${PLOT.width}"/>`,
    `<rect class="frame" width="${PLOT.width}" height="${PLOT.height}"/>`,
    `<path class="fifth" d="${fifth(total, across, up)}"/>`,
    `<path class="truth" d="M0 ${up(total)}L${PLOT.width} ${PLOT.height}"/>`,
    `<path class="said" d="${line(sayings, across, up)}"/>`,
    '</g>',
  ].join('')
}

/** Broken where nothing was said. */
function line (sayings: readonly Saying[], across: (ms: number) => number, up: (ms: number) => number): string {
  return sayings.map(({ at, said }, i) => said === undefined ? '' : `${sayings[i - 1]?.said === undefined ? 'M' : 'L'}${across(at)} ${up(said)}`).join('')
}

function fifth (total: number, across: (ms: number) => number, up: (ms: number) => number): string {
  const corners = [0.5, 0.9, 1].map((passed) => ({ x: across(passed * total), left: (1 - passed) * total, allowed: 0.2 * Math.max(1 - passed, 0.1) * total }))
  const above = corners.map(({ x, left, allowed }) => `${x} ${up(left + allowed)}`)
  const below = corners.map(({ x, left, allowed }) => `${x} ${up(Math.max(0, left - allowed))}`)
  return `M${[...above, ...below.reverse()].join('L')}Z`
}

const round = (pixels: number) => Number(pixels.toFixed(1))
const seconds = (ms: number) => (ms / 1_000).toLocaleString('en-US', { maximumSignificantDigits: 2 })
const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
