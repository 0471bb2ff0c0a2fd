/** What a browser's window has of this, and others may have not. */
interface Surroundings {
  requestAnimationFrame?: (callback: () => void) => number
  cancelAnimationFrame?: (handle: number) => void
}

/** A page that is hidden has no frames, nor has a frame of it that is out of sight; to them it is shown so late, in milliseconds. */
const LATEST_MS = 1_000
/** Where there are no frames at all, in milliseconds. */
const FRAMELESS_MS = 16

/** Does something at most once per animation frame, however often it is asked for. */
export class Frame {
  readonly #act: () => void
  #cancel: (() => void) | undefined

  constructor (act: () => void) {
    this.#act = act
  }

  /** With the next frame. */
  request (): void {
    if (this.#cancel !== undefined) return
    const surroundings = globalThis as Surroundings
    const act = () => {
      this.cancel()
      this.#act()
    }
    const handle = surroundings.requestAnimationFrame?.(act)
    const timer = setTimeout(act, handle === undefined ? FRAMELESS_MS : LATEST_MS)
    this.#cancel = () => {
      clearTimeout(timer)
      if (handle !== undefined) surroundings.cancelAnimationFrame?.(handle)
    }
  }

  /** What was requested is not done any more. */
  cancel (): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
