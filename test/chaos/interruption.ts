/** A Ctrl-C that comes again within this is the same one, in milliseconds: it comes from the terminal and from npm. */
const SAME_CTRL_C_MS = 1_000
const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/** Somebody wants no more of it. */
export class Interrupted extends Error {
  /** The exit code that says so. */
  readonly code: number

  constructor (signal: keyof typeof CODES) {
    super(signal)
    this.code = CODES[signal]
  }
}

/** Rejects when the user, or whoever runs this, wants no more of it; a second time is the end of the process. */
export async function interruption (): Promise<never> {
  return new Promise((_resolve, reject) => {
    let interruptedAt: number | undefined
    for (const signal of Object.keys(CODES) as Array<keyof typeof CODES>) {
      process.on(signal, () => {
        interruptedAt ??= performance.now()
        if (performance.now() - interruptedAt > SAME_CTRL_C_MS) process.exit(CODES[signal])
        reject(new Interrupted(signal))
      })
    }
  })
}
