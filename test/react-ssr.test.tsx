import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import t from 'tap'
import type * as react from '../src/client/react/index.js'
import { RealtimeProvider, RealTimeFeedback, useProgress, useSSEUpdates } from '../src/client/react/index.js'

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
  const name = 'realtime-fanout/react'
  const built = await import(name) as typeof react
  t.strictSame(Object.keys(built).sort(), ['RealTimeFeedback', 'RealtimeProvider', 'useOrders', 'useProgress', 'useSSEUpdates'])
  t.match(renderToString(createElement(built.RealtimeProvider, { url: '/events' }, createElement(built.RealTimeFeedback))), 'Purchase orders')
  const { readFile } = await import('node:fs/promises')
  t.match(await readFile(new URL(import.meta.resolve(`${name}/styles.css`)), 'utf8'), '.realtime-feedback')
  t.match(await readFile(new URL(import.meta.resolve(name)), 'utf8'), /^'use client'/, 'and is for the client, where a framework asks')
})
