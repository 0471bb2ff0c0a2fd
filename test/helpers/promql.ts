import { parser } from '@prometheus-io/lezer-promql'

type Node = NonNullable<ReturnType<typeof parser.parse>['topNode']['firstChild']>

export interface Selector {
  readonly metric: string
  /** What labels are to be, or not to be: by name, the literal values. */
  readonly matchers: ReadonlyArray<{ readonly label: string, readonly values: readonly string[] }>
}

/** Labels by which something is grouped or matched, and the metrics that it is made of. */
export interface Grouping {
  readonly labels: readonly string[]
  readonly metrics: readonly string[]
}

export interface Query {
  readonly selectors: readonly Selector[]
  readonly groupings: readonly Grouping[]
}

/** What a query asks for. @throws {SyntaxError} if it is none. */
export function parseQuery (text: string): Query {
  const top = parser.parse(text).topNode
  const wrong = below(top).find(({ type }) => type.isError)
  if (wrong !== undefined) throw new SyntaxError(`at ${wrong.from} of ${text}`)
  const textOf = ({ from, to }: Node): string => text.slice(from, to)
  const metricsIn = (node: Node): string[] => below(node, 'Identifier').filter(({ parent }) => parent?.name === 'VectorSelector').map(textOf)
  return {
    selectors: below(top, 'VectorSelector').map((selector) => ({
      metric: textOf(selector.getChild('Identifier')!),
      matchers: below(selector, 'UnquotedLabelMatcher').map((matcher) => ({
        label: textOf(matcher.getChild('LabelName')!),
        values: textOf(matcher.getChild('StringLiteral')!).slice(1, -1).split('|'),
      })),
    })),
    groupings: below(top, 'GroupingLabels').map((labels) => ({
      labels: below(labels, 'LabelName').map(textOf),
      metrics: metricsIn(enclosing(labels, ['AggregateExpr', 'BinaryExpr'])),
    })),
  }
}

/** All nodes of this name, or of any, that this one has below it. */
function below (node: Node, name?: string): Node[] {
  const found: Node[] = []
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (name === undefined || child.name === name) found.push(child)
    found.push(...below(child, name))
  }
  return found
}

function enclosing (node: Node, names: readonly string[]): Node {
  let up = node.parent
  while (up !== null && !names.includes(up.name)) up = up.parent
  return up!
}
