import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { Environment, loadConfig } from '../src/config.js'
import { LEAST, conform, environmentOf, find, lint, objectsOf, render, skip, skipSchemas, type Labels, type Values } from './helpers/helm.js'
import { NODE } from './helpers/node.js'
import { TestRedis } from './helpers/redis.js'
import { Service } from './helpers/service.js'
import { tableOf, valuesOf } from './helpers/values-table.js'
import { chart, graceSeconds } from './rehearsal/values.js'

const run = promisify(execFile)

const gateway = { httpRoute: { enabled: true, parentRefs: [{ name: 'public' }] } }
const everything: Values = {
  image: { digest: `sha256:${'0'.repeat(64)}` },
  imagePullSecrets: [{ name: 'pull' }],
  redis: { url: 'rediss://user:p%40ss@redis:6380/2' },
  secrets: { JWT_SECRET: '', PUBLISH_KEY: 'k'.repeat(32) },
  existingSecret: 'mine',
  config: { AUTH_MODE: 'jwt', JWT_JWKS_URL: 'https://issuer.example:8443/keys', TRUST_PROXY: '10.0.0.0/8,fd00::/8', READY_WARMUP_MS: 1_000, HISTORY_MAX_BYTES: 1_073_741_824, CORS_ORIGINS: 'https://a.example,https://b.example' },
  extraEnv: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/ca/ca.crt' }],
  extraVolumes: [{ name: 'ca', configMap: { name: 'ca' } }],
  extraVolumeMounts: [{ name: 'ca', mountPath: '/ca', readOnly: true }],
  podSecurityContext: { sysctls: [{ name: 'net.ipv4.tcp_retries2', value: '8' }] },
  podAnnotations: { a: 'b' },
  podLabels: { c: 'd' },
  nodeSelector: { e: 'f' },
  tolerations: [{ key: 'g', operator: 'Exists' }],
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'h', operator: 'Exists' }] }] } } },
  priorityClassName: 'high',
  serviceAccount: { annotations: { i: 'j' } },
  service: { type: 'LoadBalancer', annotations: { k: 'l' } },
  opsService: { annotations: { m: 'n' } },
  httpRoute: { ...gateway.httpRoute, hostnames: ['a.example'], annotations: { o: 'p' } },
  ingress: { enabled: true, className: 'nginx', hosts: ['a.example', 'b.example'], tls: [{ secretName: 'tls', hosts: ['a.example'] }], annotations: { q: 'r' } },
  autoscaling: { enabled: true, targetConnectionsPerPod: 8_000 },
  networkPolicy: { enabled: true, publicFrom: [{ ipBlock: { cidr: '10.0.0.0/8' } }], opsFrom: [{ namespaceSelector: {} }], redisTo: [{ podSelector: {} }], extraEgress: [{ ports: [{ port: 4317 }] }] },
  metrics: {
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    prometheusRule: { enabled: true, labels: { release: 'prometheus' }, runbookUrl: 'https://docs.example/RUNBOOK.md' },
    dashboard: { enabled: true, annotations: { s: 't' } },
  },
  test: { tokenSecret: 'token' },
  extraObjects: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: '{{ .Release.Name }}-more' } }],
}

const ALWAYS = ['ConfigMap', 'Deployment', 'Pod', 'PodDisruptionBudget', 'Secret', 'Service', 'Service', 'ServiceAccount']

/** Each switch, and which kinds there are more or fewer with it. */
const switches: Record<string, { values: Values, more?: string[], fewer?: string[] }> = {
  least: { values: {} },
  everything: { values: everything, more: ['ConfigMap', 'ConfigMap', 'HTTPRoute', 'HorizontalPodAutoscaler', 'Ingress', 'NetworkPolicy', 'PrometheusRule', 'ServiceMonitor'] },
  'a Secret of yours': { values: { redis: { url: '' }, secrets: { JWT_SECRET: '' }, existingSecret: 'mine' }, fewer: ['Secret'] },
  shopify: { values: { config: { AUTH_MODE: 'shopify', SHOPIFY_API_KEY: 'key' }, secrets: { JWT_SECRET: '', SHOPIFY_API_SECRET: 's'.repeat(32) } } },
  'no ServiceAccount': { values: { serviceAccount: { create: false } }, fewer: ['ServiceAccount'] },
  'no PodDisruptionBudget': { values: { podDisruptionBudget: { enabled: false } }, fewer: ['PodDisruptionBudget'] },
  'an HTTPRoute': { values: gateway, more: ['HTTPRoute'] },
  'an HTTPRoute without timeouts': { values: { httpRoute: { ...gateway.httpRoute, timeouts: null } }, more: ['HTTPRoute'] },
  'an Ingress for any host': { values: { ingress: { enabled: true } }, more: ['Ingress'] },
  'an HPA by CPU': { values: { autoscaling: { enabled: true } }, more: ['HorizontalPodAutoscaler'] },
  'an HPA by connections': { values: { autoscaling: { enabled: true, targetCPUUtilizationPercentage: 0, targetConnectionsPerPod: 8_000 } }, more: ['HorizontalPodAutoscaler'] },
  'a NetworkPolicy': { values: { networkPolicy: { enabled: true } }, more: ['NetworkPolicy'] },
  'a ServiceMonitor': { values: { metrics: { serviceMonitor: { enabled: true } } }, more: ['ServiceMonitor'] },
  alerts: { values: { metrics: { prometheusRule: { enabled: true } } }, more: ['PrometheusRule'] },
  'a dashboard': { values: { metrics: { dashboard: { enabled: true } } }, more: ['ConfigMap'] },
  'no annotations, no spread, no sleep': { values: { metrics: { annotations: false }, topologySpreadConstraints: [], rollout: { preStopSleepSeconds: 0 } } },
  // As YAML has a key below which all is commented out.
  'nothing at all': { values: { podLabels: null, podAnnotations: null, podSecurityContext: null, nodeSelector: null, tolerations: null, extraEnv: null, topologySpreadConstraints: null } },
  'of an umbrella': { values: { enabled: true, global: { x: 1 } } },
  'long names': { values: { fullnameOverride: 'x'.repeat(70), nameOverride: 'y'.repeat(70) } },
}

const merge = (a: Values, b: Values): Values => Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map((key) => {
  const [one, other] = [a[key], b[key]]
  const both = [one, other].every((value) => typeof value === 'object' && value !== null && !Array.isArray(value))
  return [key, both ? merge(one as Values, other as Values) : key in b ? other : one]
}))

const objects = async (values: Values) => objectsOf(await render(merge(LEAST, values)))
const selects = (selector: Labels, labels: Labels) => Object.entries(selector).every(([name, value]) => labels[name] === value)

t.test('each switch makes what it says, and Kubernetes knows all of it', { skip }, async (t) => {
  const folder = t.testdir()
  await Promise.all(Object.entries(switches).map(async ([name, { values, more = [], fewer = [] }]) => {
    const rendered = await render(merge(LEAST, values))
    await writeFile(join(folder, `${name}.yaml`), rendered)
    const expected = [...ALWAYS, ...more].filter((kind) => !fewer.includes(kind)).sort()
    t.strictSame(objectsOf(rendered).map(({ kind }) => kind).sort(), expected, name)
  }))
  const examples = await readdir('helm/examples')
  t.ok(examples.length >= 6)
  await Promise.all(examples.map(async (example) => {
    t.match(await lint(join('helm/examples', example)), '0 chart(s) failed', example)
    await writeFile(join(folder, `example-${example}`), await render(join('helm/examples', example)))
  }))
  t.match(await lint(LEAST), '0 chart(s) failed')
  t.match(await lint(merge(LEAST, everything)), '0 chart(s) failed')

  await t.test('as its schemas have it', { skip: skipSchemas }, async (t) => {
    t.equal(await conform(folder), '')
    await writeFile(join(folder, 'broken.yaml'), 'apiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec: { sort: wrong }\n')
    t.match(await conform(folder), /broken\.yaml.*sort/s, 'which refuse what is wrong')
  })
})

t.test('wrong values are refused, with their names', { skip }, async (t) => {
  const wrong: Array<[values: Values, says: RegExp]> = [
    [{ replicas: 2 }, /replicas/],
    [{ replicaCount: 'two' }, /replicaCount/],
    [{ image: { pullPolicy: 'Sometimes' } }, /pullPolicy/],
    [{ image: { digest: 'latest' } }, /digest/],
    [{ config: { NO_SUCH: 1 } }, /NO_SUCH/],
    [{ config: { HEARTBEAT_MS: '15s' } }, /HEARTBEAT_MS/],
    [{ config: { HEARTBEAT_MS: 1 } }, /HEARTBEAT_MS/],
    [{ config: { OPS_PORT: '' } }, /OPS_PORT/],
    [{ config: { AUTH_MODE: 'none' } }, /AUTH_MODE/],
    [{ config: { JWT_JWKS_URL: 'http://issuer.example' } }, /JWT_JWKS_URL/],
    [{ secrets: { PUBLISH_KEY: 'short' } }, /PUBLISH_KEY/],
    [{ redis: { url: 'http://redis' } }, /redis.url/],
    [{ rollout: { graceMarginSeconds: 5 } }, /graceMarginSeconds/],
    [{ terminationGracePeriodSeconds: 30 }, /terminationGracePeriodSeconds/],
    [{ topologySpreadConstraints: [{ topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector: {} }] }, /topologySpreadConstraints/],
    [{ service: { type: 'Public' } }, /service.type/],
    [{ redis: { url: '' } }, /redis\.url is empty/],
    [{ secrets: { JWT_SECRET: '' } }, /set secrets\.JWT_SECRET or config\.JWT_JWKS_URL/],
    [{ config: { JWT_JWKS_URL: 'https://issuer.example' } }, /one or the other/],
    [{ config: { AUTH_MODE: 'shopify' } }, /set config\.SHOPIFY_API_KEY/],
    [{ config: { AUTH_MODE: 'shopify', SHOPIFY_API_KEY: 'key' } }, /set secrets\.SHOPIFY_API_SECRET/],
    [{ config: { OPS_PORT: 3001 } }, /another port than config\.PORT/],
    [{ httpRoute: { enabled: true } }, /httpRoute\.parentRefs/],
    [{ autoscaling: { enabled: true, targetCPUUtilizationPercentage: null } }, /targetCPUUtilizationPercentage or/],
    [{ autoscaling: { enabled: true, minReplicas: 11 } }, /minReplicas is more/],
    [{ autoscaling: { enabled: true, targetConnectionsPerPod: 10_000 } }, /less than config\.MAX_CONNECTIONS/],
    [{ autoscaling: { enabled: true }, resources: { requests: null } }, /there is none/],
    [{ extraEnv: [{ name: 'DRAIN_WINDOW_MS', value: '600000' }] }, /extraEnv has DRAIN_WINDOW_MS/],
    [{ extraEnv: [{ name: 'NODE_ENV', value: 'test' }] }, /extraEnv has NODE_ENV/],
    [{ config: { TRUST_PROXY: 'proxy' } }, /TRUST_PROXY/],
    [{ redis: { url: 'redis://r/db0' } }, /redis\.url/],
    [{ fullnameOverride: 'My Name!' }, /fullnameOverride/],
    [{ test: null }, /test/],
    [{ metrics: { serviceMonitor: null } }, /serviceMonitor is required/],
    [{ metrics: { prometheusRule: { runbookUrl: null } } }, /runbookUrl is required/],
    [{ metrics: { serviceMonitor: { enabled: true, interval: '5s' } } }, /scrapeTimeout is longer/],
    [{ metrics: { serviceMonitor: { enabled: true, scrapeTimeout: '1m' } } }, /scrapeTimeout is longer/],
  ]
  await Promise.all(wrong.map(async ([values, says]) => t.rejects(render(merge(LEAST, values)), { message: says }, JSON.stringify(values))))
  for (const release of ['2024', 'realtime-fanout.v2']) await t.rejects(render(LEAST, { release }), { message: /set fullnameOverride/ }, release)
  const cut = objectsOf(await render({ ...LEAST, fullnameOverride: `${'x'.repeat(50)}--yy` }))
  for (const { metadata: { name } } of cut) t.match(name, /^x+(-(env|ops|test))?$/, 'cut between two hyphens, it ends with neither')
  await t.resolves(render({ ...LEAST, fullnameOverride: 'fanout', metrics: { serviceMonitor: { enabled: true, interval: '1m', scrapeTimeout: '60s' } } }, { release: '2024' }))
})

t.test('a pod has as long to end as it is told to take', { skip }, async (t) => {
  const cases: Array<[preStop: number, delay: number, window: number, grace: number]> = [[5, 5_000, 20_000, 45], [0, 0, 0, 15], [20, 1, 0, 36], [0, 1_500, 60_001, 77]]
  await Promise.all(cases.map(async ([preStopSleepSeconds, DRAIN_DELAY_MS, DRAIN_WINDOW_MS, grace]) => {
    const all = await objects({ rollout: { preStopSleepSeconds }, config: { DRAIN_DELAY_MS, DRAIN_WINDOW_MS } })
    const { terminationGracePeriodSeconds, containers } = find(all, 'Deployment').spec.template.spec
    t.equal(terminationGracePeriodSeconds, grace)
    t.strictSame(containers[0].lifecycle, preStopSleepSeconds === 0 ? undefined : { preStop: { sleep: { seconds: preStopSleepSeconds } } })
  }))
})

t.test('a balancer that takes pods out by an API cuts no stream, neither of one that ends nor of one that is not ready', { skip }, async (t) => {
  for (const [example, delay] of [['aws-alb', /deregistration_delay\.timeout_seconds=(\d+)/], ['gke', /drainingTimeoutSec: (\d+)/]] as const) {
    const rendered = await render(join('helm/examples', `${example}.yaml`))
    const all = objectsOf(rendered)
    const seconds = Number(delay.exec(rendered)?.[1])
    t.ok(seconds > find(all, 'Deployment').spec.template.spec.terminationGracePeriodSeconds, example)
    t.ok(seconds > 1.1 * Number(find(all, 'ConfigMap').data.MAX_CONNECTION_AGE_S), `${example}: an outage of Redis takes all pods out, and a stream outlives it`)
    t.ok(seconds <= 3_600, `${example}: more is not taken`)
  }
})

t.test('a rolling update goes as it is rehearsed', { skip }, async (t) => {
  const { replicas, minReadySeconds, strategy, template: { spec } } = find(await objects({}), 'Deployment').spec
  const [{ lifecycle, startupProbe, readinessProbe, livenessProbe }] = spec.containers
  const rehearsed = (probe: 'startupProbe' | 'readinessProbe' | 'livenessProbe') => {
    const { path, periodMs, timeoutMs, failureThreshold } = chart[probe]
    return { httpGet: { path, port: 'ops' }, periodSeconds: periodMs / 1_000, timeoutSeconds: timeoutMs / 1_000, failureThreshold }
  }
  t.strictSame({ replicas, minReadySeconds, lifecycle, startupProbe, readinessProbe, livenessProbe, grace: spec.terminationGracePeriodSeconds, strategy }, {
    replicas: chart.replicas,
    minReadySeconds: chart.minReadySeconds,
    lifecycle: { preStop: { sleep: { seconds: chart.preStopSeconds } } },
    startupProbe: rehearsed('startupProbe'),
    readinessProbe: rehearsed('readinessProbe'),
    livenessProbe: rehearsed('livenessProbe'),
    grace: graceSeconds(chart),
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
  })
  t.match(find(await objects({}), 'ConfigMap').data, chart.env)
  for (const READY_WARMUP_MS of ['', null]) t.equal(find(await objects({ config: { READY_WARMUP_MS } }), 'Deployment').spec.progressDeadlineSeconds, 600 + 5 + 22, 'until it is ready by default')
})

t.test('all that is named is there', { skip }, async (t) => {
  const all = await objects(everything)
  const named = (kind: string, name: string) => all.some((object) => object.kind === kind && object.metadata.name === name)
  const deployment = find(all, 'Deployment')
  const pod = deployment.spec.template
  const test = find(all, 'Pod')
  const [container] = pod.spec.containers
  const [service, ops] = [find(all, 'Service', 'fanout'), find(all, 'Service', '-ops')]

  t.test('by labels', async (t) => {
    const spread = pod.spec.topologySpreadConstraints
    const selectors = [deployment.spec.selector.matchLabels, service.spec.selector, ops.spec.selector, find(all, 'PodDisruptionBudget').spec.selector.matchLabels, ...spread.map(({ labelSelector }) => labelSelector.matchLabels)]
    t.equal(selectors.length, 6)
    for (const selector of selectors) {
      t.ok(selects(selector, pod.metadata.labels))
      t.notOk(selects(selector, test.metadata.labels), 'and not the pod of helm test')
    }
    for (const { matchLabelKeys } of spread) t.strictSame(matchLabelKeys, ['pod-template-hash'])
    const { podSelector: { matchLabels } } = find(all, 'NetworkPolicy').spec
    t.ok(selects(matchLabels, pod.metadata.labels) && selects(matchLabels, test.metadata.labels))
    const { selector, namespaceSelector, endpoints } = find(all, 'ServiceMonitor').spec
    t.strictSame([selects(selector.matchLabels, ops.metadata.labels), selects(selector.matchLabels, service.metadata.labels)], [true, false])
    t.strictSame(namespaceSelector.matchNames, ['apart'])
    t.match(endpoints, [{ port: ops.spec.ports[0]!.name, path: '/metrics' }])
  })

  t.test('by names', async (t) => {
    t.ok(named('ServiceAccount', pod.spec.serviceAccountName!))
    const { kind, name } = find(all, 'HorizontalPodAutoscaler').spec.scaleTargetRef
    t.ok(named(kind, name))
    for (const { backendRefs } of find(all, 'HTTPRoute').spec.rules) t.strictSame(backendRefs, [{ name: service.metadata.name, port: service.spec.ports[0]!.port }])
    for (const { http: { paths } } of find(all, 'Ingress').spec.rules) t.strictSame(paths.map(({ path, backend }) => [path, backend]), [['/api/realtime', { service: { name: service.metadata.name, port: { name: service.spec.ports[0]!.name } } }]])
    for (const each of [container, test.spec.containers[0]]) {
      t.strictSame(each.envFrom.slice(0, 3).map(({ configMapRef, secretRef }) => configMapRef?.name ?? secretRef?.name), ['release-realtime-fanout', 'mine', 'release-realtime-fanout-env'])
      t.ok(named('ConfigMap', each.envFrom[0]!.configMapRef!.name) && named('Secret', each.envFrom[2]!.secretRef!.name))
      t.match(each.env, [{ name: 'NODE_EXTRA_CA_CERTS' }].slice(each === container ? 0 : 1), 'what is added comes along')
    }
    t.strictSame(test.spec.containers[0].envFrom[3], { secretRef: { name: 'token' } })
    t.equal(environmentOf(test.spec.containers[0], all).SERVICE_URL, `http://${service.metadata.name}:${service.spec.ports[0]!.port}`)
  })

  t.test('by ports', async (t) => {
    t.strictSame(container.ports.map(({ name, containerPort }) => [name, containerPort]), [['http', 3001], ['ops', 9090]])
    t.match([service.spec.ports, ops.spec.ports], [[{ port: 80, targetPort: 'http' }], [{ port: 9090, targetPort: 'ops' }]], 'health and metrics are not public')
    t.equal(service.spec.ports.length, 1)
    t.equal(ops.spec.publishNotReadyAddresses, true, 'who is not ready is asked, too')
  })
})

t.test('what a pod may, and who may reach it', { skip }, async (t) => {
  const all = await objects(everything)
  const { spec, metadata } = find(all, 'Deployment').spec.template
  for (const { securityContext, containers: [{ securityContext: own }] } of [spec, find(all, 'Pod').spec]) {
    t.strictSame(securityContext, { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, seccompProfile: { type: 'RuntimeDefault' }, sysctls: [{ name: 'net.ipv4.tcp_retries2', value: '8' }] })
    t.strictSame(own, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
  }
  t.equal(spec.containers[0].image, `realtime-fanout@sha256:${'0'.repeat(64)}`)
  t.strictSame(spec.containers[0].resources, { requests: { cpu: '500m', memory: '256Mi' }, limits: { memory: '768Mi' } })
  t.strictSame(metadata.labels, { 'app.kubernetes.io/name': 'realtime-fanout', 'app.kubernetes.io/instance': 'release', 'app.kubernetes.io/component': 'server', c: 'd' }, 'and no version, which would replace pods for nothing')
  t.notOk('prometheus.io/scrape' in metadata.annotations, 'what a ServiceMonitor sees is not scraped twice')
  t.equal(metadata.annotations.a, 'b')

  const { ingress, egress } = find(all, 'NetworkPolicy').spec
  t.match(ingress, [{ ports: [{ port: 'http' }], from: [{ podSelector: {} }, { ipBlock: { cidr: '10.0.0.0/8' } }] }, { ports: [{ port: 'ops' }], from: [{ namespaceSelector: {} }] }])
  t.strictSame(egress.map(({ ports }) => ports.map(({ port }) => port)), [[53, 53], [6380], ['http', 'ops'], [8443], [4317]])
  t.strictSame(egress[1]!.to, [{ podSelector: {} }])
  const plain = find(await objects({ redis: { url: 'redis://r' }, secrets: { JWT_SECRET: '' }, config: { JWT_JWKS_URL: 'https://10.0.0.5/keys' }, networkPolicy: { enabled: true } }), 'NetworkPolicy').spec
  t.strictSame(plain.egress.map(({ ports }) => ports.map(({ port }) => port)), [[53, 53], [6379], ['http', 'ops'], [443]])
  t.strictSame(plain.ingress.map(({ from }) => from), [undefined, [{ podSelector: {} }]])
})

t.test('routes know no timeouts, and pods are as many as an HPA says', { skip }, async (t) => {
  const all = await objects(everything)
  t.match(find(all, 'HTTPRoute').spec.rules, [
    { matches: [{ path: { type: 'Exact', value: '/api/realtime/events' } }], timeouts: { request: '0s', backendRequest: '0s' } },
    { matches: [{ path: { type: 'PathPrefix', value: '/api/realtime' } }] },
  ])
  for (const timeouts of [null, { request: '', backendRequest: '' }]) {
    t.equal(find(await objects({ httpRoute: { ...gateway.httpRoute, timeouts } }), 'HTTPRoute').spec.rules[0]!.timeouts, undefined)
  }
  t.equal(find(all, 'Deployment').spec.replicas, undefined)
  t.strictSame(find(all, 'HorizontalPodAutoscaler').spec.metrics, [
    { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } },
    { type: 'Pods', pods: { metric: { name: 'realtime_connections' }, target: { type: 'AverageValue', averageValue: '8000' } } },
  ])
})

t.test('an upgrade leaves the pods that an HPA has made', { skip }, async (t) => {
  // So much of Kubernetes's API as `lookup` asks for.
  const there: Record<string, unknown> = {
    '/apis/apps/v1': { kind: 'APIResourceList', groupVersion: 'apps/v1', resources: [{ name: 'deployments', namespaced: true, kind: 'Deployment', verbs: ['get'] }] },
    '/apis/apps/v1/namespaces/apart/deployments/release-realtime-fanout': { apiVersion: 'apps/v1', kind: 'Deployment', metadata: {}, spec: { replicas: 7 } },
  }
  const api = createServer(({ url }, response) => {
    const object = there[new URL(url!, 'http://api').pathname]
    response.writeHead(object === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(object ?? { kind: 'Status', code: 404, reason: 'NotFound' }))
  }).listen(0, '127.0.0.1')
  t.teardown(() => api.close())
  await once(api, 'listening')
  const cluster = `http://127.0.0.1:${(api.address() as AddressInfo).port}`
  const replicas = async (values: Values, release = 'release') => find(objectsOf(await render(merge(LEAST, values), { release, cluster })), 'Deployment').spec.replicas
  t.equal(await replicas({ autoscaling: { enabled: true } }), 7)
  t.equal(await replicas({ autoscaling: { enabled: true } }, 'first'), undefined, 'where there are none, it is for the HPA to say')
  t.equal(await replicas({}), 2, 'and without one, for the values')
})

t.test('a changed environment is a new pod', { skip }, async (t) => {
  const annotations = async (values: Values) => find(await objects(values), 'Deployment').spec.template.metadata.annotations
  const before = await annotations({})
  t.not((await annotations({ config: { RETRY_MS: 1 } }))['checksum/config'], before['checksum/config'])
  t.not((await annotations({ secrets: { PUBLISH_KEY: 'k'.repeat(32) } }))['checksum/secrets'], before['checksum/secrets'])
  t.match(before, { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9090', 'prometheus.io/path': '/metrics' })
})

t.test('the alerts and the dashboard come as they are', { skip }, async (t) => {
  const all = await objects(everything)
  const [written] = objectsOf(await readFile('helm/alerts.yaml', 'utf8')) as unknown as Array<{ groups: unknown }>
  t.strictSame(JSON.parse(JSON.stringify(find(all, 'PrometheusRule').spec).replaceAll('https://docs.example/RUNBOOK.md#', 'RUNBOOK.md#')), written)
  t.strictSame(JSON.parse(find(all, 'ConfigMap', '-dashboard').data['realtime-fanout.json']!), JSON.parse(await readFile('helm/dashboards/realtime-fanout.json', 'utf8')))
})

t.test('the service takes what the chart gives it', { skip }, async (t) => {
  const given = async (values: Values) => {
    const all = await objects(values)
    const { NODE_EXTRA_CA_CERTS: _, ...env } = environmentOf(find(all, 'Deployment').spec.template.spec.containers[0], all)
    return loadConfig({ NODE_ENV: 'production', ...env })
  }
  const byDefault = loadConfig({ NODE_ENV: 'production', REDIS_URL: 'redis://redis:6379', AUTH_MODE: 'jwt', JWT_SECRET: 's'.repeat(32), OPS_PORT: '9090' })
  t.strictSame(await given({}), byDefault)
  t.match(await given(everything), { REDIS_URL: 'rediss://user:p%40ss@redis:6380/2', HISTORY_MAX_BYTES: 1_073_741_824, READY_WARMUP_MS: 1_000, TRUST_PROXY: ['10.0.0.0/8', 'fd00::/8'], CORS_ORIGINS: ['https://a.example', 'https://b.example'] })
  t.match(await given({ config: { TRUST_PROXY: 2 } }), { TRUST_PROXY: 2 })
  for (const DASHBOARD of [true, false]) t.match(await given({ config: { DASHBOARD } }), { DASHBOARD }, 'what YAML makes of on and off')
})

t.test('the schema of values takes what config.ts takes', async (t) => {
  interface Schema { readonly properties: Record<string, Schema>, readonly anyOf?: Schema[], readonly [keyword: string]: unknown }
  const { properties } = JSON.parse(await readFile('helm/values.schema.json', 'utf8')) as Schema
  const known: Record<string, Schema> = { ...properties.config!.properties, ...properties.secrets!.properties, REDIS_URL: properties.redis!.properties.url! }
  // Of the chart: ports that probes and Services can name, what production takes, what config.ts looks at more closely, and a number of proxies without quotes.
  const own = new Set(['PORT', 'OPS_PORT', 'AUTH_MODE', 'REDIS_URL', 'JWT_JWKS_URL', 'JWT_SECRET', 'TRUST_PROXY'])
  for (const [name, { type, minimum, maximum, pattern, enum: values }] of Object.entries(Environment.properties as unknown as Record<string, Schema>)) {
    if (name === 'NODE_ENV' || own.has(name)) continue
    const schema = known[name]?.anyOf?.[1] ?? known[name]
    t.match(schema, Object.fromEntries(Object.entries({ type, minimum, maximum, pattern, enum: values }).filter(([, value]) => value !== undefined)), name)
  }
})

t.test("the chart's README has the table of values (UPDATE_VALUES_TABLE=1 writes it)", async (t) => {
  const values = valuesOf(await readFile('helm/values.yaml', 'utf8'))
  const readme = await readFile('helm/README.md', 'utf8')
  const [before] = /^.*\n## Values\n\n/s.exec(readme)!
  const expected = `${before}${tableOf(values)}\n`
  if (process.env.UPDATE_VALUES_TABLE === '1') await writeFile('helm/README.md', expected)
  else t.equal(readme, expected)
  for (const path of ['redis.url', 'config.HEARTBEAT_MS', 'autoscaling.behavior', 'metrics.prometheusRule.runbookUrl']) t.ok(values.some((value) => value.path === path && value.description !== ''), path)
})

t.test('the notes send no token where nobody listens, or everybody could', { skip }, async (t) => {
  // `helm template` leaves notes out: in a copy of the chart, they are a ConfigMap's.
  const chart = join(t.testdir(), 'helm')
  await cp('helm', chart, { recursive: true })
  await writeFile(join(chart, 'templates/_notes.tpl'), `{{- define "notes" }}${await readFile('helm/templates/NOTES.txt', 'utf8')}{{ end }}`)
  await writeFile(join(chart, 'templates/notes.yaml'), 'kind: ConfigMap\nmetadata: { name: notes }\ndata:\n  notes: |\n    {{- include "notes" . | nindent 4 }}\n')
  await Promise.all((await readdir('helm/examples')).map(async (example) => {
    const { notes } = find(objectsOf(await render(join('helm/examples', example), { chart })), 'ConfigMap', 'notes').data
    t.match(notes, '\n  curl -N https://realtime.example.com/api/realtime/events -H "Authorization: Bearer $TOKEN"\n', example)
  }))
})

t.test('helm test opens a stream, publishes, and sees the event', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const all = await objects({ redis: { url: redis.url }, config: { JWT_ISSUER: 'issuer', JWT_AUDIENCE: 'realtime', CHANNEL_PREFIX: 'shops' } })
  const [container] = find(all, 'Pod').spec.containers
  const env = environmentOf(container, all)
  const service = await Service.start(t, { NODE_ENV: 'production', ...env, HOST: '127.0.0.1', PORT: '0', OPS_PORT: '0', DRAIN_DELAY_MS: '0', DRAIN_WINDOW_MS: '0' })
  await service.log.first(({ msg }) => msg.includes('subscribed'))
  const [node, ...before] = NODE
  const attempt = async (more: Record<string, string>) => run(node, [...before, ...container.command!.slice(1), ...container.args], { env: { ...process.env, ...env, SERVICE_URL: service.url, ...more } })
    .then(({ stdout }) => ({ code: 0, said: stdout }), (error: unknown) => ({ code: (error as { code: number }).code, said: (error as { stderr: string }).stderr }))
  t.strictSame(await attempt({}), { code: 0, said: 'connected as helm-test\npublished through Redis, and seen\n' })
  t.match(await attempt({ TOKEN: 'no token' }), { code: 1, said: /^the stream was refused with 401/ })
})
