import { readFile, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import t from 'tap'
import ts from 'typescript'

/*
 * Where there is a page, and no Node.js: what src/client/README.md shows compiles, and so does the client itself.
 */

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.dom.asynciterable.d.ts'],
  types: [],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  noEmit: true,
}

/** As much of what the examples take from elsewhere as they use. */
const ELSEWHERE = `
  declare module 'vue' {
    export function ref<T> (value: T): { value: T }
    export function onScopeDispose (dispose: () => void): void
  }
  declare module 'expo/fetch' {
    export const fetch: typeof globalThis.fetch
  }
`

/** What is wrong with these files, which need not exist, one line each; not with those that they import. */
function wrong (files: ReadonlyMap<string, string | undefined>): string[] {
  const disk = ts.createCompilerHost(options)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (path) => files.get(path) !== undefined || disk.fileExists(path),
    readFile: (path) => files.get(path) ?? disk.readFile(path),
    getSourceFile: (path, version, ...rest) => {
      const text = files.get(path)
      return text === undefined ? disk.getSourceFile(path, version, ...rest) : ts.createSourceFile(path, text, version)
    },
  }
  const program = ts.createProgram([...files.keys()], options, host)
  return ts.getPreEmitDiagnostics(program)
    .filter(({ file }) => file === undefined || files.has(file.fileName))
    .map(({ file, start, messageText }) => {
      const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start!).line + 1
      return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
}

t.test('the examples compile, by the package’s own name', async (t) => {
  const readme = await readFile('src/client/README.md', 'utf8')
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!)
  t.ok(examples.length >= 9)
  const files = new Map(examples.map((code, i) => [resolve(`example-${i}.ts`), code]))
  files.set(resolve('elsewhere.d.ts'), ELSEWHERE)
  files.set(resolve('own.ts'), "import { eventSourceTransport, fetchTransport } from 'realtime-fanout/client'\neventSourceTransport(EventSource)\nfetchTransport(fetch)\n")
  t.strictSame(wrong(files), [])
  const broken = files.set(resolve('broken.ts'), "import { createRealtimeClient } from 'realtime-fanout/client'\ncreateRealtimeClient({ url: '/' }).on('progress', ({ nothing }) => nothing)\n")
  t.match(wrong(broken), [/broken\.ts:2: .*'nothing' does not exist/])
})

t.test('the client compiles where there is no Node.js', async (t) => {
  const names = (await readdir('src/client')).filter((name) => name.endsWith('.ts'))
  t.ok(names.length >= 10)
  t.strictSame(wrong(new Map(names.map((name) => [resolve(join('src/client', name)), undefined]))), [])
})
