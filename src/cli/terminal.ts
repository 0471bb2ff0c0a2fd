import { styleText } from 'node:util'
import type { WriteStream } from 'node:tty'
import { createLogUpdate } from 'log-update'
import type { Look } from './view.js'

/** A terminal of which the last lines are drawn anew all the time, and what is above them stays. */
export class Terminal {
  readonly #stream: WriteStream
  readonly #update: ReturnType<typeof createLogUpdate>
  /** As Node.js has it: NO_COLOR, FORCE_COLOR, what kind of terminal it is. */
  readonly paint: Look['paint']

  constructor (stream: WriteStream) {
    this.#stream = stream
    this.paint = stream.hasColors() ? (format, text) => styleText(format, text, { validateStream: false }) : (_, text) => text
    const size = () => this.size()
    // A pseudo-terminal that nobody has given a size says 0, which is drawn as nothing.
    this.#update = createLogUpdate(Object.create(stream, {
      columns: { get: () => size().columns },
      rows: { get: () => size().rows },
      write: { value: stream.write.bind(stream) },
    }) as WriteStream)
  }

  size (): { columns: number, rows: number } {
    return { columns: this.#stream.columns || 80, rows: this.#stream.rows || 24 }
  }

  draw (lines: readonly string[]): void {
    this.#update(lines.join('\n'))
  }

  /** Above what is drawn, which has to be drawn again. */
  keep (line: string): void {
    this.#update.persist(line)
  }

  /** What was drawn last stays. */
  end (): void {
    this.#update.done()
  }
}
