import type { ChildProcess } from 'node:child_process'

const children = new Set<ChildProcess>()

/** Sees to it that the child does not outlive this process, however this one ends (but for SIGKILL). */
export function tracked<C extends ChildProcess> (child: C): C {
  children.add(child)
  child.once('exit', () => { children.delete(child) })
  return child
}

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const) {
  process.on(signal, () => { process.exit(code) })
}
