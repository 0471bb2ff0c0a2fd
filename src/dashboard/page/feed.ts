import type { Instance, Now, Past } from '../wire.js'
import { askForKey, session } from './gate.js'

export type State = 'connecting' | 'open' | 'full' | 'lost' | 'asking'

export interface Viewer {
  state (state: State): void
  begin (instance: Instance, past: Past): void
  now (now: Now): void
}

/** A service that has said nothing for so long is dead, whatever the browser believes; in milliseconds. */
const SILENCE_MS = 5_000
const RETRY_MS = 1_000

/** Follows the service for as long as the page is there: over its restarts, and with a key where it wants one. */
export function follow (viewer: Viewer): void {
  let instance: Instance | undefined
  void open()

  async function open (): Promise<void> {
    try {
      const { admitted, full = false } = await session(SILENCE_MS)
      if (full) return comeBack('full')
      if (!admitted) {
        viewer.state('asking')
        await askForKey()
        viewer.state('connecting')
      }
    } catch {
      return comeBack('lost') // It is not there, or not yet again.
    }
    const source = new EventSource('/dashboard/events')
    let silence: ReturnType<typeof setTimeout> | undefined
    const heard = () => {
      clearTimeout(silence)
      silence = setTimeout(over, SILENCE_MS)
    }
    const over = () => {
      clearTimeout(silence)
      source.close()
      comeBack('lost')
    }
    // One of its own, rather than the browser's: that gives up for good where a proxy answers for a service that is away.
    source.onerror = over
    source.addEventListener('instance', ({ data }: MessageEvent<string>) => { instance = JSON.parse(data) as Instance })
    source.addEventListener('past', ({ data }: MessageEvent<string>) => {
      heard()
      viewer.begin(instance!, JSON.parse(data) as Past)
      viewer.state('open')
    })
    source.addEventListener('now', ({ data }: MessageEvent<string>) => {
      heard()
      viewer.now(JSON.parse(data) as Now)
    })
    heard()
  }

  function comeBack (state: State): void {
    viewer.state(state)
    setTimeout(() => { void open() }, RETRY_MS * (0.5 + Math.random()))
  }
}
