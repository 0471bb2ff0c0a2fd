import type { ChildProcess } from 'node:child_process'

const children = new Set<ChildProcess>()

/** Sees to it that the child does not outlive this process, however this one ends (but for SIGKILL). */
export function tracked<C extends ChildProcess> (child: C): C {
  children.add(child)
  child.once('exit', () => { children.delete(child) })
  return child
}

/** Does some work with processes that are gone when it is over: those that it passes to `started`. */
export async function withProcesses<T> (work: (started: <P extends Mortal>(process: P) => P) => Promise<T>): Promise<T> {
  const all: Mortal[] = []
  try {
    return await work((process) => {
      all.push(process)
      return process
    })
  } finally {
    for (const process of all) process.kill()
  }
}

export interface Mortal {
  kill (): void
}

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const) {
  process.on(signal, () => { process.exit(code) })
}
