import type { Standing } from '../wire.js'
import { element } from './elements.js'
import { rate, whole } from './format.js'

/** The merchants with the most of something. */
export class Table {
  readonly root: HTMLElement
  readonly #body = element('tbody')
  readonly #by: 'connections' | 'rate'

  constructor (title: string, by: 'connections' | 'rate') {
    this.#by = by
    const head = element('tr', {}, ...['Merchant', 'Connections', 'Messages/s'].map((name) => element('th', { scope: 'col' }, name)))
    this.root = element('section', { class: 'panel' },
      element('h2', { id: `top-${by}` }, title),
      element('table', { 'aria-labelledby': `top-${by}`, 'data-by': by }, element('thead', {}, head), this.#body))
    this.show([])
  }

  show (standings: readonly Standing[]): void {
    if (standings.length === 0) {
      this.#body.replaceChildren(element('tr', {}, element('td', { colspan: '3' }, 'None at the moment')))
      return
    }
    const most = standings[0]![this.#by]
    this.#body.replaceChildren(...standings.map((standing) => {
      const name = element('td', {}, standing.merchantId)
      name.style.setProperty('--share', `${Math.round(100 * standing[this.#by] / most)}%`)
      return element('tr', {}, name, element('td', {}, whole(standing.connections)), element('td', {}, rate(standing.rate)))
    }))
  }
}
