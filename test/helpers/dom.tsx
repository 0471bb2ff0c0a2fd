import fakeTimers, { type Clock } from '@sinonjs/fake-timers'
import { Window, type HTMLElement } from 'happy-dom'
import type { ReactNode } from 'react'
import type { Test } from 'tap'

/** A page without a browser, whose time is moved by the test: for what a component says and does, not for how it looks. */
export interface Page {
  readonly clock: Clock
  readonly body: HTMLElement
  /** Renders, and does what is due at once. */
  readonly render: (node: ReactNode) => Promise<void>
  readonly unmount: () => Promise<void>
  /** Does what is due within so many milliseconds. */
  readonly pass: (ms: number) => Promise<void>
  /** One frame, and what it shows. */
  readonly frame: () => Promise<void>
  readonly press: (selector: string) => Promise<void>
  readonly find: (selector: string) => HTMLElement | null
  /** What can be read there, with single spaces. */
  readonly text: (selector: string) => string | undefined
}

const FRAME_MS = 16

/** @param frames whether the page has frames, as one has that can be seen. */
export async function openPage (t: Test, { frames = true } = {}): Promise<Page> {
  const window = new Window({ url: 'https://shop.example/orders' })
  const clock = fakeTimers.install({ now: 1_700_000_000_000, toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  const { document, location, navigator } = window
  const restore = surround({
    ...{ window, document, location, navigator, IS_REACT_ACT_ENVIRONMENT: true },
    ...(frames && {
      requestAnimationFrame: (callback: () => void) => clock.setTimeout(callback, FRAME_MS),
      cancelAnimationFrame: (handle: number) => { clock.clearTimeout(handle) },
    }),
  })
  t.teardown(async () => {
    clock.uninstall()
    restore()
    await window.happyDOM.close()
  })
  // Not before there is a document: it looks for one when it is loaded.
  const { act } = await import('react')
  const { createRoot } = await import('react-dom/client')
  const container = document.createElement('div')
  document.body.append(container)
  const root = createRoot(container)
  t.teardown(async () => act(async () => { root.unmount() }))
  const find = (selector: string): HTMLElement | null => document.querySelector<HTMLElement>(selector)
  return {
    clock,
    find,
    body: document.body,
    render: async (node) => act(async () => { root.render(node) }),
    unmount: async () => act(async () => { root.unmount() }),
    pass: async (ms) => act(async () => { await clock.tickAsync(ms) }),
    frame: async () => act(async () => { clock.tick(FRAME_MS) }),
    press: async (selector) => act(async () => {
      const element = find(selector)!
      element.focus()
      element.click()
    }),
    text: (selector) => find(selector)?.textContent.replaceAll(/\s+/g, ' ').trim(),
  }
}

/** Adds what a page has, and Node.js has not, or not always. */
function surround (things: Record<string, unknown>): () => void {
  const before = Object.keys(things).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const)
  for (const [name, value] of Object.entries(things)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  return () => {
    for (const [name, descriptor] of before) {
      Reflect.deleteProperty(globalThis, name)
      if (descriptor !== undefined) Object.defineProperty(globalThis, name, descriptor)
    }
  }
}
