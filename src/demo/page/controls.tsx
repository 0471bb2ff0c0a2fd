import { useState } from 'react'
import { startOrders, type Instance } from './instance.js'

const SPEEDS = [1, 3, 10]

/** What starts simulated orders. */
export function Controls ({ merchantId, instance }: { readonly merchantId: string, readonly instance: Instance }) {
  const [speed, setSpeed] = useState(1)
  const [problem, setProblem] = useState<string>()

  function start (count: number, fail: boolean) {
    startOrders({ merchantId, count, fail, speed }).then(() => { setProblem(undefined) }, (error: Error) => { setProblem(error.message) })
  }

  if (instance.needsKey) return <p className='panel hint'>This instance takes a <code>PUBLISH_KEY</code>, which the page does not have: publish with the command below.</p>
  return (
    <section className='panel' aria-labelledby='start-title'>
      <h2 id='start-title'>Simulate a workflow</h2>
      <div className='controls'>
        <button type='button' className='primary' onClick={() => { start(1, false) }}>Start an order</button>
        <button type='button' onClick={() => { start(5, false) }}>Start five</button>
        <button type='button' onClick={() => { start(1, true) }}>Start one that fails</button>
        <label className='speed'>
          Speed
          <select name='speed' value={speed} onChange={({ target }) => { setSpeed(Number(target.value)) }}>
            {SPEEDS.map((each) => <option key={each} value={each}>{each} ×</option>)}
          </select>
        </label>
      </div>
      <p className='problem' role='alert'>{problem}</p>
    </section>
  )
}
