import type { PublishableEvent } from '../message.js'
import type { DurationStore } from './durations.js'
import { PublishError, type Published } from './errors.js'
import { Eta } from './eta.js'
import { Pace } from './pace.js'
import { Stage, type StageListener, type StageResult } from './stage.js'

export interface StageDeclaration {
  readonly name: string
  /** Its share of the whole, relative to the others; best, of the time that it takes. */
  readonly weight: number
  /** Of how many items it consists, for `advance`; may be told when it starts, too. */
  readonly items?: number | undefined
}

export interface WorkflowOptions<Stages extends readonly StageDeclaration[] = readonly StageDeclaration[]> {
  readonly merchantId: string
  readonly poId: string
  readonly workflowId?: string | undefined
  readonly stages: Stages
  /** So many progress events per second at most, besides those before a stage event. */
  readonly maxPerSecond?: number | undefined
  /** How long stages took before, for the estimate; without it, there is none before this run has shown how fast it is. */
  readonly durations?: DurationStore | undefined
  /** What the merchant is told of an error; its message, if not given, whatever that gives away. */
  readonly describeError?: ((error: unknown) => string) | undefined
}

/** What a workflow needs of its publisher. */
export interface Outlet {
  publish (event: PublishableEvent): Promise<Published>
  /** Tells `onError` of what went wrong, and resolves or rejects like a publish that did. */
  refuse (error: PublishError): Promise<Published>
  /** Where a workflow's pace is found while it holds a progress event back. */
  readonly holding: Set<Pace<string>>
}

/** A merchant is told no more of an error, in UTF-16 code units. */
const MAX_ERROR_LENGTH = 1_000
const UNDESCRIBED = 'failed'
/** The most that a workflow shows before its end, in percent. */
const MOST_BEFORE_THE_END = 99.9

/**
 * Follows one workflow and publishes how it goes. Its progress is the weighted sum over its stages, in tenths of a percent;
 * it never goes back, and is 100 only when all stages are completed. Of what would be too many progress events, the latest
 * is sent; stage, completion and error events are never held back, and no progress from before comes after them.
 * Nothing has to be awaited.
 */
export class Workflow<Name extends string = string> {
  readonly #identity: { readonly poId: string, readonly workflowId?: string }
  readonly #outlet: Outlet
  readonly #describeError: (error: unknown) => string
  readonly #pace: Pace<string>
  readonly #stages: ReadonlyMap<string, Stage>
  readonly #totalWeight: number
  readonly #startedAt = new Map<Stage, number>()
  readonly #completed = new Set<Stage>()
  /** Of these it was told that news of them came too late. */
  readonly #toldLate = new Set<Stage>()
  readonly #eta: Eta
  readonly #durations: DurationStore | undefined
  /** The stage that was last heard of. */
  #latest: Stage
  #progress = 0
  #ended = false

  /** @throws PublishError `RTF_BAD_OPTION` */
  constructor ({ poId, workflowId, stages, maxPerSecond = 4, durations, describeError = messageOf }: WorkflowOptions, outlet: Outlet) {
    checkDeclarations(stages)
    if (!(typeof maxPerSecond === 'number' && maxPerSecond > 0)) throw new PublishError('RTF_BAD_OPTION', 'maxPerSecond takes a number above 0')
    this.#identity = { poId, ...(workflowId !== undefined && { workflowId }) }
    this.#outlet = outlet
    this.#describeError = describeError
    this.#pace = new Pace(1_000 / maxPerSecond, (message) => { void unawaited(this.#publishProgress(message)) }, outlet.holding)
    const listener: StageListener = {
      start: async (stage, message) => this.#start(stage, message),
      expect: ({ name, items }) => { this.#eta.expect(name, items!) },
      progress: (stage, message) => { this.#reached(stage, message) },
      complete: async (stage, result) => this.#complete(stage, result),
      fail: async (error, stage) => this.#fail(error, stage, this.#lateFor(stage)),
      isLate: (stage) => this.#isLate(stage),
      refuse: (stage, field, problem) => { void unawaited(outlet.refuse(new PublishError('RTF_BAD_EVENT', `stage ${stage.name}: ${field} ${problem}`, { field }))) },
    }
    this.#eta = new Eta(stages.map(({ name, weight }) => ({ name, weight })))
    this.#stages = new Map(stages.map(({ name, weight, items }) => [name, new Stage(name, weight, items, listener)]))
    this.#latest = this.#stages.get(stages[0]!.name)!
    this.#totalWeight = stages.reduce((sum, { weight }) => sum + weight, 0)
    this.#durations = durations
    void this.#recall()
  }

  /** 0–100, as it was or will be published. */
  get progress (): number {
    return this.#progress
  }

  /** @throws PublishError `RTF_UNKNOWN_STAGE` */
  stage (name: Name): Stage {
    const stage = this.#stages.get(name)
    if (stage === undefined) {
      throw new PublishError('RTF_UNKNOWN_STAGE', `${name} is none of the stages that the workflow declares: ${[...this.#stages.keys()].join(', ')}`, { field: 'stage' })
    }
    return stage
  }

  /**
   * Does the work of a stage: started before it, completed after it; or failed, and what the work threw is thrown again.
   * Resolves with what the work resolves with. For a stage with a result, let the work call `stage.complete(result)`.
   * The work does not wait for the news of it, and that news could not be published is told to `onError` only.
   */
  async track<Result> (name: Name, work: (stage: Stage) => Promise<Result>): Promise<Result> {
    const stage = this.stage(name)
    void unawaited(stage.start())
    let result: Result
    try {
      result = await work(stage)
    } catch (error) {
      if (!this.#ended) await unawaited(stage.fail(error))
      throw error
    }
    if (!this.#ended && !this.#completed.has(stage)) await unawaited(stage.complete())
    return result
  }

  /** Publishes that the workflow has failed and so ended, in the stage that was last heard of. */
  async fail (error: unknown): Promise<Published> {
    return this.#fail(error, this.#latest, this.#ended ? this.#lateFor(this.#latest) : undefined)
  }

  async #start (stage: Stage, message = `${stage.name} started`): Promise<Published> {
    const late = this.#lateFor(stage)
    if (late !== undefined) return this.#outlet.refuse(late)
    if (this.#startedAt.has(stage)) return { ok: true }
    const now = performance.now()
    this.#latest = stage
    this.#startedAt.set(stage, now)
    this.#eta.started(stage.name, now)
    this.#pace.flush()
    return this.#outlet.publish({ type: 'stage', stage: stage.name, status: 'started', message, ...this.#identity })
  }

  #reached (stage: Stage, message = stage.name): void {
    void unawaited(this.#start(stage))
    this.#latest = stage
    this.#eta.progressed(stage.name, stage.fraction, performance.now())
    this.#sum()
    this.#pace.offer(message)
  }

  async #complete (stage: Stage, { message = `${stage.name} completed`, lineItems, confidence }: StageResult): Promise<Published> {
    const started = this.#start(stage)
    void unawaited(started)
    if (this.#lateFor(stage) !== undefined) return started
    const now = performance.now()
    this.#latest = stage
    this.#completed.add(stage)
    this.#ended = this.#completed.size === this.#stages.size
    this.#eta.completed(stage.name, now)
    void this.#record(stage, now)
    this.#sum()
    this.#pace.offer(message)
    this.#pace.flush()
    const news = [started, this.#outlet.publish({ type: 'stage', stage: stage.name, status: 'completed', message, ...this.#identity })]
    if (lineItems !== undefined || confidence !== undefined || this.#ended) {
      news.push(this.#outlet.publish({ type: 'completion', stage: stage.name, ...this.#identity, ...(lineItems !== undefined && { lineItems }), ...(confidence !== undefined && { confidence }) }))
    }
    const published = await Promise.all(news)
    return published.find(({ ok }) => !ok) ?? { ok: true }
  }

  async #fail (error: unknown, stage: Stage, late: PublishError | undefined): Promise<Published> {
    if (late !== undefined) return this.#outlet.refuse(late)
    this.#ended = true
    this.#pace.flush()
    return this.#outlet.publish({ type: 'error', stage: stage.name, error: this.#described(error), ...this.#identity })
  }

  /** Why there can be no more news of a stage. */
  #lateFor (stage: Stage): PublishError | undefined {
    if (this.#ended) return new PublishError('RTF_WORKFLOW_FINISHED', `stage ${stage.name}: the workflow has ended`, { field: 'stage' })
    if (this.#completed.has(stage)) return new PublishError('RTF_STAGE_FINISHED', `stage ${stage.name} is completed`, { field: 'stage' })
    return undefined
  }

  /** Stages beside one that failed may go on for long, and often say so. */
  #isLate (stage: Stage): boolean {
    const late = this.#lateFor(stage)
    if (late === undefined) return false
    if (!this.#toldLate.has(stage)) void unawaited(this.#outlet.refuse(late))
    this.#toldLate.add(stage)
    return true
  }

  #sum (): void {
    let done = 0
    for (const stage of this.#stages.values()) done += stage.weight * (this.#completed.has(stage) ? 1 : stage.fraction)
    const tenths = Math.floor(done / this.#totalWeight * 1_000 + 1e-6) // Nor is 0.57 × 1,000 569.
    this.#progress = this.#completed.size === this.#stages.size ? 100 : Math.min(Math.max(this.#progress, tenths / 10), MOST_BEFORE_THE_END)
  }

  async #publishProgress (message: string): Promise<Published> {
    const etaMs = this.#eta.remainingMs(performance.now())
    return this.#outlet.publish({ type: 'progress', progress: this.#progress, message, ...this.#identity, ...(etaMs !== undefined && { etaMs }) })
  }

  async #recall (): Promise<void> {
    try {
      const typical = await this.#durations?.recall([...this.#stages.keys()])
      if (typical !== undefined) this.#eta.learn(typical)
    } catch (cause) {
      this.#withoutDurations(cause)
    }
  }

  async #record (stage: Stage, now: number): Promise<void> {
    try {
      await this.#durations?.record(stage.name, { ms: now - this.#startedAt.get(stage)!, ...(stage.items !== undefined && { items: stage.items }) })
    } catch (cause) {
      this.#withoutDurations(cause)
    }
  }

  #withoutDurations (cause: unknown): void {
    void unawaited(this.#outlet.refuse(new PublishError('RTF_DURATIONS_AWAY', 'the store of durations failed', { cause })))
  }

  /** An event has to come of it, or the merchant would wait for ever. */
  #described (error: unknown): string {
    try {
      const text: unknown = this.#describeError(error)
      return typeof text === 'string' && text !== '' ? text.slice(0, MAX_ERROR_LENGTH) : UNDESCRIBED
    } catch (cause) {
      void unawaited(this.#outlet.refuse(new PublishError('RTF_BAD_OPTION', 'describeError threw', { cause })))
      return UNDESCRIBED
    }
  }
}

/** Of a promise that rejects (if the publisher is strict) only to say what `onError` has been told already. */
async function unawaited (published: Promise<Published>): Promise<void> {
  await published.catch(() => { /* Told. */ })
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function checkDeclarations (stages: readonly StageDeclaration[]): void {
  if (!Array.isArray(stages) || stages.length === 0) throw new PublishError('RTF_BAD_OPTION', 'a workflow takes at least one stage')
  const names = new Set<unknown>()
  let total = 0
  for (const stage of stages as ReadonlyArray<Partial<StageDeclaration> | null | undefined>) {
    const name = stage?.name
    const weight = stage?.weight
    if (typeof name !== 'string' || name === '' || names.has(name)) throw new PublishError('RTF_BAD_OPTION', 'each stage takes a name of its own')
    if (!(typeof weight === 'number' && weight > 0)) throw new PublishError('RTF_BAD_OPTION', `stage ${name} takes a weight above 0`)
    names.add(name)
    total += weight
  }
  if (total === Infinity) throw new PublishError('RTF_BAD_OPTION', 'the weights of the stages are too much to add up')
}
