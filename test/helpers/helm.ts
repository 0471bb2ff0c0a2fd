import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { devNull, homedir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { parseAllDocuments } from 'yaml'

const run = promisify(execFile)

export type Labels = Record<string, string>
interface Selector { readonly matchLabels: Labels }
interface Metadata { readonly name: string, readonly labels: Labels, readonly annotations: Labels }
interface Probe { readonly httpGet: { readonly path: string, readonly port: string }, readonly periodSeconds: number, readonly timeoutSeconds: number, readonly failureThreshold: number }
interface Named { readonly name: string }
interface Container {
  readonly image: string
  readonly command?: readonly string[]
  readonly args: readonly string[]
  readonly lifecycle?: unknown
  readonly securityContext: unknown
  readonly resources: unknown
  readonly startupProbe: Probe
  readonly readinessProbe: Probe
  readonly livenessProbe: Probe
  readonly ports: ReadonlyArray<{ readonly name: string, readonly containerPort: number }>
  readonly envFrom: ReadonlyArray<{ readonly configMapRef?: Named, readonly secretRef?: Named }>
  readonly env?: ReadonlyArray<{ readonly name: string, readonly value: string }>
}
interface PodSpec {
  readonly serviceAccountName?: string
  readonly terminationGracePeriodSeconds: number
  readonly securityContext: unknown
  readonly containers: readonly [Container]
  readonly topologySpreadConstraints: ReadonlyArray<{ readonly labelSelector: Selector, readonly matchLabelKeys: readonly string[] }>
}
interface Peers { readonly ports: ReadonlyArray<{ readonly port: number | string }>, readonly from?: readonly unknown[], readonly to?: readonly unknown[] }

/** Of the specs of each kind, what tests look at; kubeconform knows all of it. */
export interface Specs {
  Deployment: { readonly replicas?: number, readonly minReadySeconds: number, readonly progressDeadlineSeconds: number, readonly strategy: unknown, readonly selector: Selector, readonly template: { readonly metadata: Metadata, readonly spec: PodSpec } }
  Pod: PodSpec
  Service: { readonly selector: Labels, readonly publishNotReadyAddresses?: boolean, readonly ports: ReadonlyArray<{ readonly name: string, readonly port: number, readonly targetPort: string }> }
  ServiceAccount: undefined
  PodDisruptionBudget: { readonly selector: Selector }
  HorizontalPodAutoscaler: { readonly scaleTargetRef: Named & { readonly kind: string }, readonly metrics: unknown }
  ServiceMonitor: { readonly selector: Selector, readonly namespaceSelector: { readonly matchNames: readonly string[] }, readonly endpoints: ReadonlyArray<{ readonly port: string, readonly path: string }> }
  NetworkPolicy: { readonly podSelector: Selector, readonly ingress: readonly Peers[], readonly egress: readonly Peers[] }
  HTTPRoute: { readonly rules: ReadonlyArray<{ readonly matches: unknown, readonly timeouts?: unknown, readonly backendRefs: ReadonlyArray<Named & { readonly port: number }> }> }
  Ingress: { readonly rules: ReadonlyArray<{ readonly http: { readonly paths: ReadonlyArray<{ readonly path: string, readonly backend: { readonly service: Named & { readonly port: Named } } }> } }> }
  PrometheusRule: unknown
  ConfigMap: undefined
  Secret: undefined
}

export interface KubernetesObject<Kind extends keyof Specs = keyof Specs> {
  readonly kind: Kind
  readonly metadata: Metadata
  readonly spec: Specs[Kind]
  readonly data: Labels
}

export type Values = Record<string, unknown>

/** What no chart can do without. */
export const LEAST: Values = { redis: { url: 'redis://redis:6379' }, secrets: { JWT_SECRET: 's'.repeat(32) } }

/** Where `go install` puts them, if they are not on the PATH; and no cluster of whoever runs the tests. */
const env = { ...process.env, KUBECONFIG: devNull, KUBECACHEDIR: devNull, PATH: [process.env.PATH, join(homedir(), 'go', 'bin')].join(delimiter) }
const have = (tool: string) => spawnSync(tool, ['-h'], { env, stdio: 'ignore' }).status === 0

/** Kubernetes's own schemas; not a part of this repository. */
const SCHEMAS = resolve('../shared/k8s-schemas')
/** The kinds of the objects of examples that have no schema there. */
const FOREIGN = ['BackendTrafficPolicy', 'GCPBackendPolicy', 'HealthCheckPolicy']

/** Why the chart is not tested, if it is not. On CI, where nobody reads what was skipped, it fails for want of helm. */
export const skip = process.env.CI || have('helm') ? false : 'no helm on the PATH (go install helm.sh/helm/v3/cmd/helm@v3.16.4)'
if (skip !== false) t.comment(`THE CHART IS NOT TESTED: ${skip}`)

/** Why what comes of it is not held against Kubernetes's schemas. */
export const skipSchemas = skip !== false ? skip : !existsSync(SCHEMAS) ? 'no ../shared/k8s-schemas' : process.env.CI || have('kubeconform') ? false : 'no kubeconform on the PATH (go install github.com/yannh/kubeconform/cmd/kubeconform@v0.6.7)'
if (skipSchemas !== false && skip === false) t.comment(`WHAT COMES OF THE CHART IS NOT HELD AGAINST KUBERNETES'S SCHEMAS: ${skipSchemas}`)

interface Rendering {
  readonly release?: string
  /** The folder of the chart. */
  readonly chart?: string
  /** The address of an API in which templates may look up what there is. */
  readonly cluster?: string
}

/** What `helm template` makes of these values, as text. Rejects with what helm says where it makes nothing. */
export async function render (values: Values | string, { release = 'release', chart = 'helm', cluster }: Rendering = {}): Promise<string> {
  return helm(['template', release, chart, '--namespace', 'apart', '--kube-version', '1.33.0', ...(cluster === undefined ? [] : ['--dry-run=server', '--kube-apiserver', cluster])], values)
}

/** What `helm lint --strict` says. */
export async function lint (values: Values | string): Promise<string> {
  return helm(['lint', '--strict', 'helm'], values)
}

export function objectsOf (rendered: string): KubernetesObject[] {
  return parseAllDocuments(rendered).map((document) => document.toJS() as KubernetesObject | null).filter((object) => object !== null)
}

/** What a container finds in its environment, as far as these objects have it: later ones win, and `env` over all. */
export function environmentOf ({ envFrom, env = [] }: Container, objects: readonly KubernetesObject[]): Labels {
  const sources = envFrom.map(({ configMapRef, secretRef }) => {
    const plain = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef?.name)?.data ?? {}
    const secret = objects.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === secretRef?.name)?.data ?? {}
    return { ...plain, ...Object.fromEntries(Object.entries(secret).map(([name, value]) => [name, Buffer.from(value, 'base64').toString()])) }
  })
  return Object.assign({}, ...sources, Object.fromEntries(env.map(({ name, value }) => [name, value]))) as Labels
}

/** The first of a kind whose name ends so. */
export function find<Kind extends keyof Specs> (objects: readonly KubernetesObject[], kind: Kind, nameEnds = ''): KubernetesObject<Kind> {
  return objects.find((object) => object.kind === kind && object.metadata.name.endsWith(nameEnds)) as KubernetesObject<Kind>
}

/** What kubeconform finds in files of such a folder: nothing, or lines. */
export async function conform (folder: string): Promise<string> {
  const args = ['-strict', '-skip', FOREIGN.join(), '-schema-location', `${SCHEMAS}/{{.ResourceKind}}{{.KindSuffix}}.json`, folder]
  return run('kubeconform', args, { env }).then(({ stdout }) => stdout, (error: unknown) => String((error as { stdout?: string }).stdout ?? error))
}

/** @param values as an object, or the path of a file. */
async function helm (args: readonly string[], values: Values | string): Promise<string> {
  const running = run('helm', [...args, '-f', typeof values === 'string' ? values : '-'], { env, maxBuffer: 10_000_000 })
  running.child.stdin!.end(typeof values === 'string' ? undefined : JSON.stringify(values))
  return running.then(({ stdout }) => stdout, (error: unknown) => { throw new Error((error as { stderr: string }).stderr) })
}
