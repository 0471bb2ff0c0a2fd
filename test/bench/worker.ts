import { fork, type ChildProcess } from 'node:child_process'
import { tracked } from './children.js'

/** What a worker process can be asked; arguments and answers travel as JSON. */
export type Handlers = Record<string, (argument: never) => unknown>

interface Call {
  readonly name: string
  readonly argument: unknown
}
type Answer = { readonly value: unknown } | { readonly error: string }

/** A process of the benchmark's own: the caller's end of one that calls {@link serve}. Calls are answered in order. */
export class Worker<H extends Handlers> {
  readonly #child: ChildProcess
  readonly #waiting: Array<{ readonly resolve: (value: unknown) => void, readonly reject: (error: Error) => void }> = []

  /** @param file a TypeScript module beside this one. */
  constructor (file: string, env: Record<string, string> = {}) {
    this.#child = tracked(fork(new URL(file, import.meta.url), { execArgv: ['--import', import.meta.resolve('tsx')], env: { ...process.env, ...env } }))
    this.#child.on('message', (answer: Answer) => {
      const caller = this.#waiting.shift()
      if ('error' in answer) caller?.reject(new Error(`${file}: ${answer.error}`))
      else caller?.resolve(answer.value)
    })
    this.#child.on('exit', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`${file} ended`))
    })
  }

  async call<K extends keyof H & string> (name: K, argument: Parameters<H[K]>[0]): Promise<Awaited<ReturnType<H[K]>>> {
    const answer = new Promise((resolve, reject) => { this.#waiting.push({ resolve, reject }) })
    this.#child.send({ name, argument } satisfies Call)
    return await answer as Awaited<ReturnType<H[K]>>
  }

  get pid (): number {
    return this.#child.pid!
  }

  kill (): void {
    this.#child.kill('SIGKILL')
  }
}

/** Makes this process answer a {@link Worker}, one call at a time, until that is gone. */
export function serve (handlers: Handlers): void {
  const answer = async ({ name, argument }: Call): Promise<Answer> => {
    try {
      return { value: await handlers[name]!(argument as never) }
    } catch (error) {
      return { error: (error as Error).message }
    }
  }
  let previous: Promise<void> = Promise.resolve()
  process.on('message', (call: Call) => {
    previous = previous.then(async () => { process.send!(await answer(call)) })
  })
  process.on('disconnect', () => { process.exit() })
}
