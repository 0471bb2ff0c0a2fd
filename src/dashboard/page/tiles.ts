import type { Instance, Now } from '../wire.js'
import { element } from './elements.js'
import { bytes, day, duration, milliseconds, percent, rate, whole } from './format.js'

type Mood = 'well' | 'wrong' | undefined
type Tile = readonly [name: string, label: string, read: (now: Now, instance: Instance) => readonly [value: string, more?: string, mood?: Mood]]

const TILES: readonly Tile[] = [
  ['redis', 'Redis', ({ redis: { standing, forMs }, sample }, { broker }) => {
    if (broker === 'memory') return ['none', 'a broker inside this process']
    return standing
      ? ['up', `for ${duration(forMs)}, probe ${milliseconds(sample.probe)}`, 'well']
      : ['away', `for ${duration(forMs)}`, 'wrong']
  }],
  ['connections', 'Connections', ({ sample }) => [whole(sample.connections)]],
  ['merchants', 'Merchants', ({ sample }) => [whole(sample.merchants)]],
  ['messages', 'Messages in/s', ({ sample }) => [rate(sample.messages)]],
  ['deliveries', 'Deliveries/s', ({ sample }) => [rate(sample.deliveries), `${bytes(sample.bytes)}/s`]],
  ['p99', 'Latency p99', ({ sample }) => [milliseconds(sample.p99), `p50 ${milliseconds(sample.p50)}`]],
  ['cpu', 'CPU', ({ sample }) => [percent(sample.cpu), `event loop ${percent(sample.busy)}`]],
  ['memory', 'Memory', ({ sample }) => [bytes(sample.rss), `heap ${bytes(sample.heap)}`]],
  ['uptime', 'Up', ({ sample, leaving }, { startedAt }) => leaving ? ['draining', 'told to end', 'wrong'] : [duration(sample.at! - startedAt), `since ${day(startedAt)}`]],
]

/** What is so now, in a row of numbers. */
export class Tiles {
  readonly #shown: ReadonlyArray<{ readonly tile: Tile, readonly root: HTMLElement, readonly value: HTMLElement, readonly more: HTMLElement }>

  constructor (list: HTMLElement) {
    this.#shown = TILES.map((tile) => {
      const [name, label] = tile
      const [value, more] = [element('dd', {}, '–'), element('dd', { class: 'more' })]
      const root = element('div', { 'data-tile': name }, element('dt', {}, label), value, more)
      list.append(root)
      return { tile, root, value, more }
    })
  }

  show (now: Now, instance: Instance): void {
    for (const { tile: [, , read], root, value, more } of this.#shown) {
      const [text, rest = '', mood] = read(now, instance)
      value.textContent = text
      more.textContent = rest
      if (mood === undefined) delete root.dataset.mood
      else root.dataset.mood = mood
    }
  }
}
