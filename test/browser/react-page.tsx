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
  readonly frames: number
  /** How often React committed something. */
  readonly commits: number
  /** The most commits between two frames. */
  readonly most: number
  readonly events: number
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
const onRender = () => { commits++ }

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
  const props: RealtimeProviderProps = { ...options, onEvent: () => { events++ } }
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

const have = (many: number) => events >= many

/** Counts until so many events have come. */
async function count (until: number): Promise<FrameCount> {
  const longTasks: number[] = []
  const observer = new PerformanceObserver((list) => { longTasks.push(...list.getEntries().map(({ duration }) => duration)) })
  observer.observe({ type: 'longtask' })
  await nextFrame()
  const first = commits
  let frames = 0
  let most = 0
  do {
    const before = commits
    await nextFrame()
    frames++
    most = Math.max(most, commits - before)
  } while (!have(until))
  observer.disconnect()
  return { frames, commits: commits - first, most, events, longTasks }
}

/** Mounts and unmounts so often; every second one lives for some frames, so that it connects. */
async function remount (times: number, options: MountOptions): Promise<void> {
  for (let i = 0; i < times; i++) {
    mount(options)
    await nextFrame()
    if (i % 2 === 0) await nextFrame()
    unmount()
  }
}

const app = { mount, unmount, count, remount, nextFrame, updates: () => updates }
export type App = typeof app

Object.assign(globalThis, { app })
