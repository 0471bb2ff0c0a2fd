import type { Instance } from '../wire.js'
import { Chart } from './chart.js'
import { CHARTS } from './charts.js'
import { byId } from './elements.js'
import { follow, type State } from './feed.js'
import { Series } from './series.js'
import { Table } from './table.js'
import { Tiles } from './tiles.js'

const STATES: Record<State, string> = {
  connecting: 'Connecting…',
  open: 'Live',
  full: 'Too many look, retrying…',
  lost: 'Lost connection, retrying…',
  asking: 'Locked',
}

const board = byId('board')
const series = new Series()
const tiles = new Tiles(byId('tiles'))
const charts = CHARTS.map((options) => new Chart(series, options))
const byConnections = new Table('Top 10 merchants by connections', 'connections')
const byRate = new Table('Top 10 merchants by messages', 'rate')
let instance: Instance | undefined
byId('charts').append(...charts.map(({ root }) => root))
byId('tables').append(byConnections.root, byRate.root)

/** A page that nobody sees need not be drawn. */
function draw (): void {
  if (!document.hidden && !board.hidden) for (const chart of charts) chart.draw()
}

document.addEventListener('visibilitychange', draw)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { for (const chart of charts) chart.repaint() })

follow({
  state (state) {
    byId('state').dataset.state = state
    byId('state-text').textContent = STATES[state]
    if (state === 'asking') board.hidden = true
    board.toggleAttribute('data-stale', state !== 'open')
  },
  begin (seen, past) {
    instance = seen
    byId('where').textContent = `${seen.host} · process ${seen.pid} · version ${seen.version} · Node.js ${seen.node.slice(1)}`
    series.begin(past, seen.everyMs, seen.keptMs)
    board.hidden = false
    draw()
  },
  now (now) {
    series.add(now.sample)
    tiles.show(now, instance!)
    byConnections.show(now.byConnections)
    byRate.show(now.byRate)
    draw()
  },
})
