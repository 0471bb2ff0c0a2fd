/** What a browser's window, or worker, has of this, and Node.js has not. */
interface Surroundings {
  addEventListener?: (type: string, listener: () => void) => void
  removeEventListener?: (type: string, listener: () => void) => void
  document?: {
    readonly visibilityState: string
    addEventListener: (type: string, listener: () => void) => void
    removeEventListener: (type: string, listener: () => void) => void
  }
}

export interface Wakeful {
  /** There is a network again, maybe another one. */
  online (): void
  /** The page can be seen again. */
  visible (): void
}

/**
 * Tells of what is worth a look at the connection.
 * @returns what stops that.
 */
export function watchWake (wakeful: Wakeful): () => void {
  const surroundings = globalThis as Surroundings
  const { document } = surroundings
  const onVisibility = () => { if (document?.visibilityState === 'visible') wakeful.visible() }
  const onOnline = () => { wakeful.online() }
  surroundings.addEventListener?.('online', onOnline)
  document?.addEventListener('visibilitychange', onVisibility)
  return () => {
    surroundings.removeEventListener?.('online', onOnline)
    document?.removeEventListener('visibilitychange', onVisibility)
  }
}
