/** A column of numbers. */
export interface Column<Row> {
  readonly head: string
  readonly value: (row: Row) => number
  readonly digits: number
  /** Whether how much more of it one row has than another, or how many times more, says something. */
  readonly compared?: boolean
}

/** A Markdown table whose first columns are words and whose others are numbers. */
export class Table<Row> {
  readonly #words: readonly string[]
  readonly #columns: ReadonlyArray<Column<Row>>
  readonly #lines: string[] = []

  constructor (words: readonly string[], columns: ReadonlyArray<Column<Row>>) {
    this.#words = words
    this.#columns = columns
  }

  add (words: readonly string[], row: Row): void {
    this.#lines.push(line([...words, ...this.#columns.map(({ value, digits }) => shown(value(row), digits))]))
  }

  /** A line of how much more one row has than another. */
  addDifference (words: readonly string[], row: Row, other: Row): void {
    this.#lines.push(line([...words, ...this.#columns.map(({ value, digits, compared }) => compared === true ? difference(value(row) - value(other), digits) : '')]))
  }

  /** A line of how many times more one row has than another. */
  addRatio (words: readonly string[], row: Row, other: Row): void {
    this.#lines.push(line([...words, ...this.#columns.map(({ value, compared }) => compared === true ? ratio(value(row) / value(other)) : '')]))
  }

  get lines (): string[] {
    const heads = [...this.#words, ...this.#columns.map(({ head }) => head)]
    return [line(heads), line([...this.#words.map(() => '---'), ...this.#columns.map(() => '---:')]), ...this.#lines]
  }
}

const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
const ratio = (value: number) => Number.isFinite(value) ? `× ${value.toLocaleString('en-US', { maximumSignificantDigits: 2 })}` : ''
const difference = (value: number, digits: number) => Number.isFinite(value) ? `${value < 0 ? '−' : '+'} ${shown(Math.abs(value), digits)}` : ''
const shown = (value: number, digits: number) =>
  Number.isFinite(value) ? value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits }) : '–'
