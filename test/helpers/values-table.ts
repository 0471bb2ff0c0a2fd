import { isMap, isScalar, parseDocument, type Document, type Node, type Pair, type YAMLMap } from 'yaml'

export interface Value {
  /** As `--set` has it. */
  readonly path: string
  readonly byDefault: unknown
  readonly description: string
}

/** Each value of a values.yaml with the comment above it. A mapping is one value if nothing in it has a comment. */
export function valuesOf (yaml: string): Value[] {
  const document = parseDocument(yaml)
  return collect(document, document.contents as YAMLMap, [])
}

/** The same as a table of Markdown. */
export function tableOf (values: readonly Value[]): string {
  const rows = values.map(({ path, byDefault, description }) => `| \`${path}\` | \`${JSON.stringify(byDefault).replaceAll('|', '\\|')}\` | ${description} |`)
  return ['| value | default | |', '|---|---|---|', ...rows].join('\n')
}

function collect (document: Document, map: YAMLMap, path: readonly string[]): Value[] {
  return (map.items as Array<Pair<Node, Node>>).flatMap(({ key, value }, index) => {
    if (!isScalar(key)) throw new Error(`what kind of key is in ${path.join('.')}?`)
    const here = [...path, String(key.value)]
    if (isMap(value) && (comment(key) === '' || value.items.some((inner, i) => comment((inner as Pair<Node>).key, i === 0 ? value : undefined) !== ''))) {
      if (value.items.length > 0) return collect(document, value, here)
    }
    // The comment above the first key of a mapping belongs to the mapping, as the parser sees it.
    return [{ path: here.join('.'), byDefault: value?.toJS(document) as unknown, description: comment(key, index === 0 && path.length > 0 ? map : undefined) }]
  })
}

function comment (node: Node, otherwise?: Node): string {
  const text = node.commentBefore ?? otherwise?.commentBefore ?? ''
  return text.split('\n').map((line) => line.trim()).join(' ').trim()
}
