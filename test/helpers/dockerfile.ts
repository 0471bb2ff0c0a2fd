import { DockerfileParser, type Instruction, type ModifiableInstruction, type PropertyInstruction } from 'dockerfile-ast'

/** One instruction of a Dockerfile. */
export class Step {
  readonly keyword: string
  /** All behind its flags, lines joined. */
  readonly text: string
  readonly flags: ReadonlyMap<string, string>
  /** Of ARG, ENV and LABEL. */
  readonly properties: ReadonlyMap<string, string>

  constructor (instruction: Instruction) {
    const { getFlags, getProperties } = instruction as Partial<ModifiableInstruction & PropertyInstruction>
    this.keyword = instruction.getKeyword()
    this.text = instruction.getArgumentsContent() ?? ''
    this.flags = new Map(getFlags?.call(instruction).map((flag) => [flag.getName(), flag.getValue() ?? '']))
    this.properties = new Map(getProperties?.call(instruction).map((property) => [property.getName(), property.getValue() ?? '']))
  }

  get words (): string[] {
    return this.text.split(/\s+/)
  }

  /** The command, where it runs without a shell. */
  get exec (): readonly string[] | undefined {
    const json = this.text.replace(/^CMD\s+/, '') // HEALTHCHECK's
    try {
      return json.startsWith('[') ? JSON.parse(json) as string[] : undefined
    } catch {
      return undefined // Docker takes what is no JSON for a shell's.
    }
  }
}

export class Stage {
  readonly base: string
  readonly name: string | undefined
  readonly steps: readonly Step[]

  constructor (from: Step, steps: readonly Step[]) {
    const [base, , name] = from.words
    this.base = base!
    this.name = name
    this.steps = steps
  }

  all (keyword: string): Step[] {
    return this.steps.filter((step) => step.keyword === keyword)
  }

  /** The one that counts. */
  last (keyword: string): Step | undefined {
    return this.all(keyword).at(-1)
  }

  /** ENV, LABEL or ARG, all together. */
  properties (keyword: string): Map<string, string> {
    return new Map(this.all(keyword).flatMap(({ properties }) => [...properties]))
  }
}

export function stagesOf (dockerfile: string): Stage[] {
  const stages: Array<{ from: Step, steps: Step[] }> = []
  for (const step of DockerfileParser.parse(dockerfile).getInstructions().map((one) => new Step(one))) {
    if (step.keyword === 'FROM') stages.push({ from: step, steps: [] })
    else stages.at(-1)!.steps.push(step)
  }
  return stages.map(({ from, steps }) => new Stage(from, steps))
}

const LABELS = ['title', 'description', 'licenses', 'version', 'revision'].map((name) => `org.opencontainers.image.${name}`)
/** The major version. */
const OLDEST_NODE = 20
const SECRET = /secret|token|password|passwd|credential|auth|private|key|REDIS_URL/i

/** Which rules of this project a Dockerfile breaks; `ignores` is what its .dockerignore says of a path. */
export function faultsOf (dockerfile: string, ignores: (path: string) => boolean): string[] {
  const stages = stagesOf(dockerfile)
  const final = stages.at(-1)!
  const faults = stages.flatMap((stage) => [...faultsOfBase(stage), ...stage.steps.flatMap((step) => faultsOfStep(step, stages, ignores))])
  const want = (holds: boolean | undefined, fault: string) => { if (holds !== true) faults.push(fault) }

  want(stages.length > 1, 'there is one stage only')
  want(final.all('RUN').length === 0, 'the final stage runs something')
  want(final.all('COPY').every(({ flags }) => !flags.has('chown')), 'files of the final stage belong to somebody else than root')
  want(/^[1-9]\d*:[1-9]\d*$/.test(final.last('USER')?.text ?? ''), 'the user is root, or no number')
  for (const keyword of ['ENTRYPOINT', 'CMD', 'HEALTHCHECK']) want(final.last(keyword)?.exec !== undefined, `${keyword} is missing, or a shell's`)
  want(final.properties('ENV').get('NODE_ENV') === 'production', 'NODE_ENV is not production')
  const labels = final.properties('LABEL')
  for (const label of LABELS) want((labels.get(label) ?? '') !== '', `there is no label ${label}`)
  /** What is run in the stage that such a path of the final one comes from. */
  const madeBy = (path: RegExp) => stages.find(({ name }) => name === (final.all('COPY').find(({ text }) => path.test(text))?.flags.get('from') ?? ''))?.all('RUN').map(({ text }) => text) ?? []
  const install = madeBy(/\bnode_modules\b/)
  want(install.length === 1 && /^npm ci --omit=dev\b/.test(install[0]!), 'the packages are not those of production only')
  want(/^npm run build\b/.test(madeBy(/\bdist\b/).at(-1) ?? ''), 'dist is not built')
  return faults
}

function faultsOfBase ({ base }: Stage): string[] {
  if (Number(/^node:(\d+)/.exec(base)?.[1] ?? OLDEST_NODE) < OLDEST_NODE) return [`${base} is older than package.json allows`]
  return /:(?!latest$)[\w.-]+(@sha256:[0-9a-f]{64})?$/.test(base) ? [] : [`${base} has no tag that says what it is`]
}

function faultsOfStep ({ keyword, text, words, flags, properties }: Step, stages: readonly Stage[], ignores: (path: string) => boolean): string[] {
  const faults: string[] = []
  if (keyword === 'ADD') faults.push('ADD takes from anywhere, and unpacks')
  if (keyword === 'RUN' && /\bnpm (i|install|add|update|exec)\b|\bnpx\b/.test(text)) faults.push(`${text}: it does not go by the lock file`)
  for (const [name, value] of properties) {
    if (keyword !== 'LABEL' && (SECRET.test(name) || /:\/\/[^/\s]*@/.test(value))) faults.push(`${name} looks like a secret`)
  }
  const from = flags.get('from')
  if (keyword === 'COPY' && from !== undefined && stages.every(({ name }) => name !== from)) faults.push(`${from} is no stage`)
  if (keyword === 'COPY' && from === undefined) {
    for (const source of words.slice(0, -1)) {
      if (/^[./]*$/.test(source)) faults.push('it copies all that there is')
      else if (ignores(source)) faults.push(`${source} is not in the build's context`)
    }
  }
  return faults
}
