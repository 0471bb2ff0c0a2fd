import { useRef, useState } from 'react'
import type { Instance } from './instance.js'

interface Snippet {
  readonly title: string
  readonly command: string
}

/** What to paste into a terminal to see the same, by hand. */
export function Snippets ({ merchantId, instance }: { readonly merchantId: string, readonly instance: Instance }) {
  return (
    <section className='panel snippets' aria-labelledby='snippets-title'>
      <h2 id='snippets-title'>From your terminal</h2>
      {snippetsFor(merchantId, instance).map((snippet) => <Copyable key={snippet.title} {...snippet} />)}
    </section>
  )
}

function snippetsFor (merchantId: string, { broker, channelPrefix, needsKey, needsToken }: Instance): Snippet[] {
  const event = '{"type":"progress","poId":"PO-1","progress":50,"message":"half way"}'
  const api = `${location.origin}/api/realtime`
  const key = needsKey ? '-H "Authorization: Bearer $PUBLISH_KEY" ' : ''
  return [
    { title: 'Publish over HTTP', command: `curl ${api}/merchants/${merchantId}/events ${key}-H 'Content-Type: application/json' -d '${event}'` },
    ...broker === 'memory' ? [] : [{ title: 'Publish by Redis', command: `redis-cli PUBLISH ${channelPrefix}:${merchantId}:progress '${event}'` }],
    { title: 'Listen', command: needsToken ? `curl -N -H "Authorization: Bearer $TOKEN" ${api}/events` : `curl -N '${api}/events?merchantId=${merchantId}'` },
  ]
}

function Copyable ({ title, command }: Snippet) {
  const code = useRef<HTMLElement>(null)
  const [told, setTold] = useState('')

  async function copy () {
    try {
      await navigator.clipboard.writeText(command)
      setTold('Copied')
    } catch {
      // Where it is not served from localhost, or by HTTPS, a page has no clipboard.
      window.getSelection()?.selectAllChildren(code.current!)
      setTold('Selected: copy it')
    }
    setTimeout(() => { setTold('') }, 2_000)
  }

  return (
    <div className='snippet'>
      <div className='panel-head'>
        <h3>{title}</h3>
        <span className='told' role='status'>{told}</span>
        <button type='button' className='quiet' aria-label={`Copy: ${title}`} onClick={() => { void copy() }}>Copy</button>
      </div>
      <pre><code ref={code}>{command}</code></pre>
    </div>
  )
}
