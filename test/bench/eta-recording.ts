import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TypicalDuration } from '../../src/publisher/durations.js'
import type { Kind, Run } from './eta-run.js'

const FOLDER = join(import.meta.dirname, 'recordings')

/** Real work, as eta-record.ts wrote it down. */
export interface Recording extends Pick<Run, 'stages' | 'steps'> {
  readonly name: string
  /** How long its stages took the times before. */
  readonly typical: Readonly<Record<string, TypicalDuration>>
}

/** Every recording, with its history and without. */
export function recordedKinds (): Kind[] {
  return readdirSync(FOLDER).sort().flatMap((file) => {
    const { name, stages, typical, steps } = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Recording
    return [
      { name: `recorded: ${name}`, runs: [{ stages, typical: new Map(), steps }], ...(stages.length === 1 && { claim: 0.9 }) },
      { name: `recorded: ${name}, with history`, runs: [{ stages, typical: new Map(Object.entries(typical)), steps }], claim: 0.9 },
    ]
  })
}
