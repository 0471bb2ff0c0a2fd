import { Profiler, StrictMode, useEffect, type ReactNode } from 'react'
import { createRoot, hydrateRoot, type Root } from 'react-dom/client'
import { RealTimeFeedback, RealtimeProvider, useProgress, useSSEUpdates, type RealtimeProviderProps, type Updates } from '../../src/client/react/index.js'

/*
 * What a test has a page of Chromium do. Bundled, with React 18 or 19, and served by react-site.ts.
 */

export interface MountOptions extends RealtimeProviderProps {
  /** What is inside of the provider; the hook alone has no provider. */
  readonly show?: ReadonlyArray<'feedback' | 'updates' | 'progress'> | 'standalone'
  readonly strict?: boolean
  readonly hydrate?: boolean
}

export interface FrameCount {
  readonly ms: number
  readonly frames: number
  readonly events: number
  /** How often React committed something. */
  readonly commits: number
  /** The most commits between two frames. */
  readonly most: number
  /** The durations of tasks of more than 50 ms. */
  readonly longTasks: readonly number[]
}

/* What there is in a page, and not in Node.js, as far as it is needed here. */
declare const document: { getElementById (id: string): Element }
declare const requestAnimationFrame: (callback: () => void) => number
declare const PerformanceObserver: new (callback: (list: { getEntries (): Array<{ readonly duration: number }> }) => void) => { observe (init: { type: string }): void, disconnect (): void }

let root: Root | undefined
let updates: Updates | undefined
let commits = 0
let events = 0
let last: string | undefined
const onRender = () => { commits++ }
const onEvent = ({ type }: { readonly type: string }) => {
  events++
  last = type
}

function Updated () {
  const latest = useSSEUpdates()
  useEffect(() => { updates = latest })
  return null
}

function Standalone (options: RealtimeProviderProps) {
  const latest = useSSEUpdates(options)
  useEffect(() => { updates = latest })
  return <p id='standalone'>{latest.state} {latest.events.length}</p>
}

function One () {
  const { progress, stage, done, failed, etaMs } = useProgress('po-1')
  return <p id='progress'>{[progress, stage, done, failed, etaMs !== undefined].join(' ')}</p>
}

function mount ({ show = ['feedback'], strict = false, hydrate = false, ...options }: MountOptions): void {
  const props: RealtimeProviderProps = { ...options, onEvent }
  const inside: ReactNode = show === 'standalone'
    ? <Standalone {...props} />
    : (
      <RealtimeProvider {...props}>
        {show.includes('feedback') && <RealTimeFeedback />}
        {show.includes('updates') && <Updated />}
        {show.includes('progress') && <One />}
      </RealtimeProvider>
      )
  const all = <Profiler id='all' onRender={onRender}>{inside}</Profiler>
  const element = strict ? <StrictMode>{all}</StrictMode> : all
  const container = document.getElementById('root')
  if (hydrate) {
    root = hydrateRoot(container, element)
  } else {
    root = createRoot(container)
    root.render(element)
  }
}

function unmount (): void {
  root?.unmount()
  root = undefined
}

const nextFrame = async () => new Promise<void>((resolve) => { requestAnimationFrame(() => { resolve() }) })

/** Not a timer, which would take 4 ms. */
const nextTurn = async () => new Promise<void>((resolve) => {
  const { port1, port2 } = new MessageChannel()
  Object.assign(port1, {
    onmessage () {
      port1.close()
      resolve()
    },
  })
  port2.postMessage(undefined)
})

const isOver = (finale: string) => last === finale

/** Counts until an event of this type comes. */
async function count (finale: string): Promise<FrameCount> {
  const longTasks: number[] = []
  const observer = new PerformanceObserver((list) => { longTasks.push(...list.getEntries().map(({ duration }) => duration)) })
  observer.observe({ type: 'longtask' })
  await nextFrame()
  const first = { commits, events, at: performance.now() }
  let frames = 0
  let most = 0
  do {
    const before = commits
    await nextFrame()
    frames++
    most = Math.max(most, commits - before)
  } while (!isOver(finale))
  observer.disconnect()
  return { ms: performance.now() - first.at, frames, events: events - first.events, commits: commits - first.commits, most, longTasks }
}

/** Mounts and unmounts so often, at every age that a connection may have; every tenth is open. */
async function remount (times: number, options: MountOptions): Promise<void> {
  for (let i = 0; i < times; i++) {
    mount({ ...options, show: ['updates', 'feedback', 'progress'] })
    if (i % 10 === 0) while (updates?.isConnected !== true) await nextFrame()
    else for (let turns = i % 10 - 1; turns > 0; turns--) await nextTurn()
    unmount()
    updates = undefined
  }
}

const app = { mount, unmount, count, remount, updates: () => updates }
export type App = typeof app

Object.assign(globalThis, { app })
