/** What a command ends with; README and `--help` tell of them. */
export const EXIT = { failed: 1, usage: 2, interrupted: 130 } as const

/** That a command has not done what it was to do; its message is one line that says so to whoever typed it. */
export class Failure extends Error {
  readonly exitCode: number

  constructor (message: string, exitCode: number = EXIT.failed) {
    super(message)
    this.exitCode = exitCode
  }
}
