import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { renderToString } from 'react-dom/server'
import t from 'tap'
import { RealtimeProvider, RealTimeFeedback, useProgress, useSSEUpdates } from '../src/client/react/index.js'
import { PLAIN_NODE } from './helpers/node.js'

const [node, ...args] = PLAIN_NODE

t.test('a server renders it without a window, and without connecting', async (t) => {
  t.equal('window' in globalThis, false)
  function One () {
    const { progress, order } = useProgress('po-1')
    const { state, events, isConnected } = useSSEUpdates()
    return <p>{JSON.stringify([progress, order === undefined, state, events, isConnected])}</p>
  }
  let asked = 0
  const html = renderToString(
    <RealtimeProvider url='/api/realtime/events' merchantId='TEST' getToken={() => String(++asked)}>
      <RealTimeFeedback />
      <One />
    </RealtimeProvider>,
  )
  t.match(html, 'Purchase orders')
  t.match(html, 'Connecting')
  t.match(html, '[0,true,&quot;connecting&quot;,[],false]')
  t.notMatch(html, 'style=', 'nothing that a strict Content-Security-Policy forbids')
  t.equal(asked, 0)
})

t.test('what is built can be imported as users do', async (t) => {
  // In a process of its own, as what is built is not what coverage is measured of.
  const script = `
    import { createElement } from 'react'
    import { renderToString } from 'react-dom/server'
    import { readFile } from 'node:fs/promises'
    import * as built from 'realtime-fanout/react'
    const read = async (name) => readFile(new URL(import.meta.resolve(name)), 'utf8')
    console.log(JSON.stringify({
      names: Object.keys(built),
      html: renderToString(createElement(built.RealtimeProvider, { url: '/events' }, createElement(built.RealTimeFeedback))),
      styles: await read('realtime-fanout/react/styles.css'),
      script: await read('realtime-fanout/react'),
    }))`
  const { stdout } = await promisify(execFile)(node, [...args, '--input-type=module', '--eval', script])
  const { names, html, styles, script: built } = JSON.parse(stdout) as { names: string[], html: string, styles: string, script: string }
  t.strictSame(names.sort(), ['RealTimeFeedback', 'RealtimeProvider', 'useOrders', 'useProgress', 'useSSEUpdates'])
  t.match(html, 'Purchase orders')
  t.match(styles, '.realtime-feedback')
  t.match(built, /^'use client'/, 'and is for the client, where a framework asks')
})
