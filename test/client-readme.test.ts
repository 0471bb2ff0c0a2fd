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
  jsx: ts.JsxEmit.ReactJSX,
  noEmit: true,
}

const DIST = resolve('dist')

/** As much of what the examples take from elsewhere as they use. */
const ELSEWHERE = `
  declare module 'vue' {
    export function ref<T> (value: T): { value: T }
    export function onScopeDispose (dispose: () => void): void
  }
  declare module 'expo/fetch' {
    export const fetch: typeof globalThis.fetch
  }
  declare module '*.css'
`

/** What is wrong with these files, which need not exist, and with what the package declares, one line each; not with others' files. */
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
    .filter(({ file }) => file === undefined || files.has(file.fileName) || file.fileName.startsWith(DIST))
    .map(({ file, start, messageText }) => {
      const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start!).line + 1
      return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
}

t.test('the examples compile, by the package’s own name', async (t) => {
  const readme = await readFile('src/client/README.md', 'utf8')
  const examples = [...readme.matchAll(/^```(tsx?)\n(.*?)^```$/gms)]
  t.ok(examples.length >= 9)
  const files = new Map(examples.map(([, extension, code], i) => [resolve(`example-${i}.${extension}`), code]))
  files.set(resolve('elsewhere.d.ts'), ELSEWHERE)
  files.set(resolve('own.ts'), "import { eventSourceTransport, fetchTransport } from 'realtime-fanout/client'\neventSourceTransport(EventSource)\nfetchTransport(fetch)\n")
  t.strictSame(wrong(files), [])
  const broken = files.set(resolve('broken.ts'), "import { createRealtimeClient } from 'realtime-fanout/client'\ncreateRealtimeClient({ url: '/' }).on('progress', ({ nothing }) => nothing)\n")
  t.match(wrong(broken), [/broken\.ts:2: .*'nothing' does not exist/])
})

t.test('the client compiles where there is no Node.js', async (t) => {
  const names = (await readdir('src/client', { recursive: true })).filter((name) => /\.tsx?$/.test(name))
  t.ok(names.length >= 30)
  t.strictSame(wrong(new Map(names.map((name) => [resolve(join('src/client', name)), undefined]))), [])
})
