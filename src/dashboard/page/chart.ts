import Plot, { type AlignedData, type Options } from 'uplot'
import type { Field } from '../wire.js'
import { element } from './elements.js'
import { clock, type Format } from './format.js'
import type { Series } from './series.js'

export interface ChartOptions {
  readonly title: string
  /** What the title leaves open. */
  readonly note?: string
  readonly lines: ReadonlyArray<readonly [field: Field, label: string]>
  readonly format: Format
  /** The scale reaches at least so far, so that next to nothing does not look like much. */
  readonly least: number
}

/** What ties the charts' pointers together. */
const GROUP = 'dashboard'
const AXIS_PX = 52

/** A chart of the last 15 minutes: its values are those of now, or of the moment that the pointer is at in any of them. */
export class Chart {
  readonly root: HTMLElement
  readonly #options: ChartOptions
  readonly #series: Series
  readonly #host = element('div', { class: 'plot' })
  readonly #time = element('small', { class: 'time' })
  readonly #values: readonly HTMLElement[]
  #plot: Plot | undefined

  constructor (series: Series, options: ChartOptions) {
    this.#options = options
    this.#series = series
    const { title, note = '', lines } = options
    this.#values = lines.map(() => element('b', {}, '–'))
    this.#host.setAttribute('role', 'img')
    this.#host.setAttribute('aria-label', `${title}, a chart of the last 15 minutes: ${lines.map(([, label]) => label).join(', ')}`)
    this.root = element('section', { class: 'panel chart' },
      element('div', { class: 'panel-head' },
        element('h2', {}, title, ' ', element('small', {}, note)),
        this.#time),
      element('div', { class: 'legend' }, ...lines.map(([, label], i) => element('span', {}, element('i'), label, ' ', this.#values[i]!))),
      this.#host)
    new ResizeObserver(([entry]) => { this.#plot?.setSize(sizeOf(entry!.contentRect)) }).observe(this.#host)
  }

  /** Draws what there is by now. */
  draw (): void {
    const data = ['at' as const, ...this.#options.lines.map(([field]) => field)].map((field) => this.#series.of(field)) as AlignedData
    if (this.#plot === undefined) this.#plot = new Plot(this.#plotOptions(), data, this.#host)
    else this.#plot.setData(data)
    this.#tell()
  }

  /** Draws it anew, in the colours that the page has now. */
  repaint (): void {
    if (this.#plot === undefined) return
    this.#plot.destroy()
    this.#plot = undefined
    this.draw()
  }

  #tell (): void {
    const index = this.#plot?.cursor.idx ?? undefined
    this.#options.lines.forEach(([field], i) => { this.#values[i]!.textContent = this.#options.format(this.#series.at(field, index ?? -1)) })
    this.#time.textContent = index === undefined ? '' : clock(this.#series.at('at', index)!)
  }

  #plotOptions (): Options {
    const { lines, format, least } = this.#options
    const style = getComputedStyle(this.#host)
    const color = (name: string) => style.getPropertyValue(name)
    const axis = { stroke: color('--muted'), font: `11px ${color('--sans')}`, ticks: { show: false }, grid: { stroke: color('--line'), width: 1 } }
    return {
      ...sizeOf(this.#host.getBoundingClientRect()),
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, sync: { key: GROUP }, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { range: () => this.#series.span },
        y: { range: (_plot, _min, max) => [0, Math.max((max ?? 0) * 1.15, least)] },
      },
      axes: [
        { ...axis, size: 24, space: 60, values: (_plot, times, _axis, _space, step) => times.map((time) => step < 60 ? clock(time) : clock(time).slice(0, 5)), incrs: [15, 30, 60, 120, 180, 300, 600] },
        { ...axis, size: AXIS_PX, space: 28, gap: 4, values: (_plot, values) => values.map(format) },
      ],
      series: [{}, ...lines.map((_line, i) => ({
        stroke: color(i === 0 ? '--accent' : '--second'),
        width: 1.5,
        points: { show: true, size: 4, fill: color(i === 0 ? '--accent' : '--second'), filter: (plot: Plot, line: number) => lonely(plot.data[line]!) },
        ...(i === 0 && { fill: `color-mix(in srgb, ${color('--accent')} 10%, transparent)` }),
      }))],
      hooks: { setCursor: [() => { this.#tell() }] },
    }
  }
}

/** Where there is something between nothing and nothing, which no line shows. */
function lonely (values: AlignedData[number]): number[] {
  const found: number[] = []
  const none = (i: number) => values[i] === null || values[i] === undefined
  for (let i = 0; i < values.length; i++) if (!none(i) && none(i - 1) && none(i + 1)) found.push(i)
  return found
}

function sizeOf ({ width, height }: { readonly width: number, readonly height: number }): { width: number, height: number } {
  return { width: Math.floor(width), height: Math.floor(height) }
}
