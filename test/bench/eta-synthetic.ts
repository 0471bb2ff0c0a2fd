import type { Kind, Run, Step } from './eta-run.js'

const RUNS = 25
const ITEM_MS = 100

/** A number of at least 0 and below 1. */
export type Random = () => number

/** Mulberry32: of the same seed, the same numbers. */
export function seeded (seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Of mean 1 and this coefficient of variation: how long things take that are mostly alike, and now and then are not. */
export function lognormal (random: Random, cv: number): number {
  const variance = Math.log(1 + cv * cv)
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return Math.exp(Math.sqrt(variance) * normal - variance / 2)
}

/** What a run is made of: stages one after another, each of so many items; 1 is a stage that reports nothing but its start and end. */
interface Recipe {
  readonly stages: ReadonlyArray<{
    readonly items: number
    readonly ms: number
    readonly weight?: number
    /** How long it took before. */
    readonly typicalMs?: number
  }>
  /** Of how long items take. */
  readonly cv: number
  /** How many times as long as it should an item takes, by how much of its stage is done before it. */
  readonly pace?: (fraction: number) => number
  /** So many items at most are reported together. */
  readonly burst?: number
}

const oneStage = (items: number) => ({ items, ms: items * ITEM_MS })
/** Upload, the model's answer, the lines of an order, saving, telling: as in an order's workflow. */
const order = [{ items: 1, ms: 1_000 }, { items: 1, ms: 8_000 }, { items: 20, ms: 6_000 }, { items: 5, ms: 2_000 }, { items: 1, ms: 500 }]
const five = [1, 3, 2, 5, 1].map((weight) => ({ items: 20, ms: weight * 2_000, weight }))
const before = <Stage extends { readonly ms: number }> (stages: readonly Stage[], factor: number) => stages.map((stage) => ({ ...stage, typicalMs: stage.ms * factor }))

const recipes: ReadonlyArray<Recipe & { readonly name: string, readonly claim?: number }> = [
  { name: 'steady, 5 items', stages: [oneStage(5)], cv: 0, claim: 1 },
  { name: 'steady, 500 items', stages: [oneStage(500)], cv: 0, claim: 1 },
  { name: 'steady, 5 stages', stages: five, cv: 0, claim: 1 },
  { name: 'nearly steady, 5 items', stages: [oneStage(5)], cv: 0.05, claim: 0.95 },
  { name: 'nearly steady, 20 items', stages: [oneStage(20)], cv: 0.05, claim: 1 },
  { name: 'cv 0.5, 20 items', stages: [oneStage(20)], cv: 0.5 },
  { name: 'cv 0.5, 100 items', stages: [oneStage(100)], cv: 0.5, claim: 0.88 },
  { name: 'cv 0.5, 500 items', stages: [oneStage(500)], cv: 0.5, claim: 0.95 },
  { name: 'cv 1, 500 items', stages: [oneStage(500)], cv: 1, claim: 0.92 },
  { name: 'cv 1, 2,000 items', stages: [oneStage(2_000)], cv: 1, claim: 0.95 },
  { name: 'cv 0.5, 500 items in bursts', stages: [oneStage(500)], cv: 0.5, burst: 50, claim: 0.95 },
  { name: 'twice as slow after half of 500 items', stages: [oneStage(500)], cv: 0.5, pace: (fraction) => fraction < 0.5 ? 1 : 2, claim: 0.95 },
  { name: 'twice as fast after half of 500 items', stages: [oneStage(500)], cv: 0.5, pace: (fraction) => fraction < 0.5 ? 1 : 0.5 },
  { name: 'stalls at 40 % for a fifth of the time', stages: [oneStage(100)], cv: 0.3, pace: (fraction) => fraction === 0.4 ? 25 : 1 },
  { name: '5 stages, cv 0.5', stages: five, cv: 0.5 },
  { name: '5 stages, cv 0.5, with history', stages: before(five, 1), cv: 0.5 },
  { name: '5 stages, history twice as long', stages: before(five, 2), cv: 0.05, claim: 0.98 },
  { name: '5 stages, history half as long', stages: before(five, 0.5), cv: 0.05, claim: 1 },
  { name: 'an order, cv 0.2, with history', stages: before(order, 1), cv: 0.2, claim: 0.9 },
  { name: 'an order, cv 0.2, with weights only', stages: order.map((stage) => ({ ...stage, weight: stage.ms })), cv: 0.2, claim: 0.9 },
  { name: 'silent stages, cv 0.2, with history', stages: before(five, 1).map((stage) => ({ ...stage, items: 1 })), cv: 0.2 },
]

/** Always the same ones. */
export function syntheticKinds (): Kind[] {
  return recipes.map((recipe, i) => ({
    name: recipe.name,
    ...(recipe.claim !== undefined && { claim: recipe.claim }),
    runs: Array.from({ length: recipe.cv === 0 ? 1 : RUNS }, (_, run) => cook(recipe, seeded(1_000 * i + run))),
  }))
}

function cook ({ stages, cv, pace, burst = 1 }: Recipe, random: Random): Run {
  const steps: Step[] = []
  let now = 0
  for (const [i, { items, ms }] of stages.entries()) {
    steps.push([now, nameOf(i), 0])
    let unreported = 0
    let size = 1
    for (let item = 0; item < items; item++) {
      now += ms / items * (pace?.(item / items) ?? 1) * lognormal(random, cv)
      unreported++
      if (unreported < size && item < items - 1) continue
      for (; unreported > 0; unreported--) steps.push([now, nameOf(i), (item + 2 - unreported) / items])
      size = 1 + Math.floor(random() * burst)
    }
  }
  return {
    stages: stages.map(({ weight = 1 }, i) => ({ name: nameOf(i), weight })),
    typical: new Map(stages.flatMap(({ typicalMs }, i) => typicalMs === undefined ? [] : [[nameOf(i), { ms: typicalMs }]])),
    steps,
    ...(pace === undefined && { expectation: new Map(stages.map(({ ms }, i) => [nameOf(i), ms])) }),
  }
}

const nameOf = (stage: number) => `stage ${stage + 1}`
