import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TypicalDuration } from '../../src/publisher/durations.js'
import type { Kind, Run, Step } from './eta-run.js'

const FOLDER = join(import.meta.dirname, 'recordings')

/** Real work, as eta-record.ts wrote it down. */
export interface Recording extends Pick<Run, 'stages' | 'steps'> {
  readonly name: string
  /** How long its stages took the times before. */
  readonly typical: Readonly<Record<string, TypicalDuration>>
}

/** Every recording, with its history and without. Of those that were steady, it is claimed that the ETA always settles. */
export function recordedKinds (): Kind[] {
  return readdirSync(FOLDER).sort().flatMap((file) => {
    const { name, stages, typical, steps } = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Recording
    const claim = isSteady(steps) ? { claim: 1 } : {}
    return [
      { name: `recorded: ${name}`, runs: [{ stages, typical: new Map(), steps }], ...claim },
      { name: `recorded: ${name}, with history`, runs: [{ stages, typical: new Map(Object.entries(typical)), steps }], ...claim },
    ]
  })
}

/** Whether it is one stage, of which each fifth took a fifth of the time, give or take a quarter. */
function isSteady (steps: readonly Step[]): boolean {
  if (new Set(steps.map(([, stage]) => stage)).size > 1) return false
  const total = steps.at(-1)![0]
  const reached = [0, 0.2, 0.4, 0.6, 0.8, 1].map((share) => steps.find(([,, fraction]) => fraction >= share)![0])
  return reached.slice(1).every((ms, i) => Math.abs((ms - reached[i]!) / (total / 5) - 1) <= 0.25)
}
