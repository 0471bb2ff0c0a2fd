import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { parse as parseYaml } from 'yaml'
import { parse as parseExposition } from './bench/exposition.js'
import { parseQuery } from './helpers/promql.js'
import { promtool, skip } from './helpers/promtool.js'
import { TestRedis } from './helpers/redis.js'
import { Service, progress } from './helpers/service.js'
import { Stream } from './helpers/stream.js'

const run = promisify(execFile)

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number, readonly y: number, readonly w: number, readonly h: number }
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
  readonly targets?: ReadonlyArray<{ readonly expr: string, readonly legendFormat: string, readonly format?: string, readonly range?: boolean }>
}

interface Variable {
  readonly name: string
  readonly type: string
  readonly query: string | { readonly query: string }
}

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string, readonly description: string, readonly runbook_url: string }
}

const json = await readFile('helm/dashboards/realtime-fanout.json', 'utf8')
const dashboard = JSON.parse(json) as { readonly uid: string, readonly panels: readonly Panel[], readonly templating: { readonly list: readonly Variable[] } }
const panels = dashboard.panels.filter(({ type }) => type !== 'row')
const { groups: [{ rules }] } = parseYaml(await readFile('helm/alerts.yaml', 'utf8')) as { readonly groups: [{ readonly rules: readonly Rule[] }] }
const runbook = await readFile('helm/RUNBOOK.md', 'utf8')

/** What a scrape adds to each series. */
const OF_THE_SCRAPE = ['namespace', 'job', 'pod', 'container', 'instance']
/** What others expose. */
const FOREIGN: Record<string, readonly string[]> = { kube_pod_container_status_restarts_total: ['namespace', 'pod', 'container'] }

/** As Grafana fills in what is chosen. */
const filledIn = (expr: string): string => expr.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '1h').replaceAll(/\$(namespace|pod)\b/g, '.+')

const shown = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr, legendFormat }) => ({ where: `panel ${title}`, expr: filledIn(expr), legendFormat })))
const alerting = rules.map(({ alert, expr }) => ({ where: alert, expr }))
const looked = [...runbook.matchAll(/--data-urlencode 'query=(.*)'/g)].map(([, expr]) => ({ where: 'RUNBOOK.md', expr: expr! }))
const listed = dashboard.templating.list.flatMap(({ name, query }) => typeof query === 'string' ? [] : [{ where: `variable ${name}`, expr: filledIn(/^label_values\((.*), \w+\)$/.exec(query.query)![1]!) }])

t.test('what is asked for is there: each metric, each label, and each value of a label', async (t) => {
  const redis = await TestRedis.start(t)
  const service = await Service.start(t, { REDIS_URL: redis.url })
  const stream = await Stream.open(t, service.streamUrl('TEST'))
  await service.log.first(({ msg }) => msg === 'subscribed')
  await service.publish('TEST', progress(1))
  await stream.published(1)
  const text = await (await fetch(`${service.url}/metrics`)).text()

  /** By metric, by label, the values. */
  const there = new Map<string, Map<string, Set<string>>>()
  for (const series of parseExposition(text).keys()) {
    const [, metric, labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(series)!
    const values = there.get(metric!) ?? new Map<string, Set<string>>()
    there.set(metric!, values)
    for (const [, label, value] of labels.matchAll(/(\w+)="([^"]*)"/g)) values.set(label!, (values.get(label!) ?? new Set()).add(value!))
  }
  const has = (metric: string, label: string): boolean => (FOREIGN[metric] ?? OF_THE_SCRAPE).includes(label) || there.get(metric)?.has(label) === true

  for (const { where, expr } of [...shown, ...alerting, ...looked, ...listed]) {
    const { selectors, groupings } = parseQuery(expr)
    for (const { metric, matchers } of selectors) {
      t.ok(there.has(metric) || metric in FOREIGN, `${where}: ${metric}`)
      for (const { label, values } of matchers) {
        t.ok(has(metric, label), `${where}: ${metric} has the label ${label}`)
        if (!OF_THE_SCRAPE.includes(label)) t.strictSame(values.filter((value) => there.get(metric)?.get(label)?.has(value) !== true), [], `${where}: ${metric}, values of ${label}`)
      }
    }
    for (const { labels, metrics } of groupings) {
      for (const label of labels) t.ok(metrics.some((metric) => has(metric, label)), `${where}: ${metrics.join(', ')}, by ${label}`)
    }
  }
  for (const { where, expr, legendFormat } of shown) {
    const labels = parseQuery(expr).groupings.flatMap(({ labels }) => labels)
    for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) t.ok(labels.includes(label!), `${where}: its legend names ${label}`)
  }

  const own = [...text.matchAll(/^# TYPE (realtime_\w+) /gm)].map(([, name]) => name!)
  t.strictSame(own.filter((name) => !shown.some(({ expr }) => new RegExp(`\\b${name}(_bucket|_sum|_count)?\\b`).test(expr))), [], 'all that the service counts is shown')
})

t.test('all queries are PromQL', { skip }, async (t) => {
  const directory = t.testdir({})
  const file = join(directory, 'queries.json')
  // JSON is YAML; a rule that records what a query gives is one that has to be valid.
  const recording = [...shown, ...looked, ...listed].map(({ expr }, i) => ({ record: `query_${i}`, expr }))
  await writeFile(file, JSON.stringify({ groups: [{ name: 'queries', rules: recording }] }))
  const { ok, printed } = await promtool('check', 'rules', file)
  t.ok(ok, printed)
  t.match(printed, `${recording.length} rules found`)
})

t.test('at a glance, what is gone is seen to be gone', { skip }, async (t) => {
  // Of what was asked for over time, Grafana shows the last value that there was, however long ago.
  const overTime = panels.filter(({ type }) => type === 'stat').flatMap(({ targets = [] }) => targets).filter(({ range }) => range !== false)
  t.ok(overTime.length > 0)
  const file = join(t.testdir({}), 'gone.json')
  const nothing = overTime.map(({ expr }) => ({ expr: filledIn(expr), eval_time: '1m', exp_samples: [{ labels: '{}', value: 0 }] }))
  await writeFile(file, JSON.stringify({ tests: [{ input_series: [], promql_expr_test: nothing }] }))
  const { ok, printed } = await promtool('test', 'rules', file)
  t.ok(ok, printed)
})

t.test('the alerts are rules, and fire when they should', { skip }, async (t) => {
  const [checked, tested] = await Promise.all([promtool('check', 'rules', 'helm/alerts.yaml'), promtool('test', 'rules', 'test/alerts.test.yaml')])
  t.ok(checked.ok, checked.printed)
  t.match(checked.printed, '10 rules found')
  t.ok(tested.ok, tested.printed)
  const cases = (parseYaml(await readFile('test/alerts.test.yaml', 'utf8')) as { tests: Array<{ alert_rule_test: Array<{ alertname: string, exp_alerts: unknown[] }> }> }).tests.flatMap(({ alert_rule_test: tests }) => tests)
  for (const { alert } of rules) {
    const expected = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts: alerts }) => alerts.length > 0)
    t.ok(expected.includes(true) && expected.includes(false), `${alert} is seen firing, and not firing`)
  }
})

t.test('the alerts are those that were asked for, and keep releases apart', async (t) => {
  t.strictSame(rules.map(({ alert }) => alert.replace('RealtimeFanout', '')), ['RedisDown', 'SubscriptionStale', 'GapsRising', 'SlowConsumers', 'RejectedConnections', 'NearConnectionLimit', 'LatencyHigh', 'EventLoopLag', 'RestartStorm', 'NoInstanceReady'])
  for (const { alert, expr, labels, annotations } of rules) {
    t.match(labels.severity, /^(critical|warning)$/, alert)
    t.equal(annotations.runbook_url, `RUNBOOK.md#${alert.toLowerCase()}`)
    t.ok(annotations.summary.length > 0 && annotations.description.length > 0, alert)
    for (const { labels } of parseQuery(expr).groupings.filter(({ labels }) => labels.length > 0)) t.ok(labels.includes('namespace'), `${alert}: ${labels.join(', ')}`)
  }
})

t.test('the dashboard has a panel for each thing, with a title, a unit and a place of its own', async (t) => {
  t.equal(dashboard.uid, 'realtime-fanout')
  t.strictSame(dashboard.templating.list.map(({ name, type }) => [name, type]), [['datasource', 'datasource'], ['namespace', 'query'], ['pod', 'query']])
  t.strictSame([...new Set([...json.matchAll(/"uid": "([^"]+)"/g)].map(([, uid]) => uid))], ['realtime-fanout', '-- Grafana --', '${datasource}'], 'no data source but the one that is chosen') // eslint-disable-line no-template-curly-in-string -- As Grafana has it.
  t.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
  const taken = new Map<string, string>()
  for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
    t.ok(title.length > 0)
    t.ok(x >= 0 && x + w <= 24, `${title} is within the grid`)
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        const other = taken.get(`${column},${line}`)
        if (other !== undefined) t.fail(`${title} covers ${other}`)
        taken.set(`${column},${line}`, title)
      }
    }
  }
  for (const { title, description, fieldConfig, targets = [] } of panels) {
    t.ok(fieldConfig?.defaults.unit, `${title} has a unit`)
    t.ok(description, `${title} is explained`)
    t.ok(targets.length > 0, `${title} shows something`)
    for (const { expr } of targets) {
      for (const { matchers } of parseQuery(filledIn(expr)).selectors) t.strictSame(matchers.slice(0, 2).map(({ label }) => label), ['namespace', 'pod'], `${title} shows what is chosen`)
    }
  }

  const asked: Record<string, RegExp> = {
    connections: /^sum\(realtime_connections\{/,
    merchants: /realtime_merchants_connected/,
    opened: /rate\(realtime_connections_opened_total/,
    'closed by reason': /by \(reason\) \(rate\(realtime_connections_closed_total/,
    'received by topic': /by \(topic\).*rate\(realtime_messages_received_total/,
    'published by topic': /by \(via, topic\) \(rate\(realtime_messages_published_total/,
    'deliveries/s': /^sum\(rate\(realtime_events_delivered_total/,
    'fan-out size': /realtime_fanout_recipients_bucket/,
    'latency p50': /^histogram_quantile\(0\.5, .*realtime_delivery_latency_seconds_bucket/,
    'latency p99': /^histogram_quantile\(0\.99, .*realtime_delivery_latency_seconds_bucket/,
    'slow consumers': /rate\(realtime_slow_consumers_total/,
    resumes: /by \(outcome\) \(rate\(realtime_resumes_total/,
    gaps: /by \(reason\) \(rate\(realtime_gaps_total/,
    'Redis state': /realtime_redis_connected/,
    'event-loop lag': /nodejs_eventloop_lag_p99_seconds/,
    'memory per connection': /process_resident_memory_bytes.* \/ .*realtime_connections/,
  }
  for (const [subject, query] of Object.entries(asked)) t.ok(shown.some(({ expr }) => query.test(expr)), subject)
  const heatmap = panels.find(({ type }) => type === 'heatmap')
  t.match(heatmap?.targets, [{ format: 'heatmap', expr: /^sum by \(le\) \(rate\(realtime_delivery_latency_seconds_bucket/ }])
})

t.test('the runbook has a section for each alert, that can be followed and pasted', async (t) => {
  const [intro, ...sections] = runbook.split(/^## /m)
  t.strictSame(sections.map((section) => section.slice(0, section.indexOf('\n'))), rules.map(({ alert }) => alert))
  for (const [i, section] of sections.entries()) {
    const { alert } = rules[i]!
    t.match(section, /\*\*What it means\.\*\* \S.*\*\*What users see\.\*\* \S.*\*\*How to look\.\*\* \S.*```sh\n.*```\n.*\*\*What to do\.\*\* \S.*\*\*How to silence it\.\*\* \S/s, alert)
    t.equal(section.split('```').length, 3, `${alert}: one block`)
    // Of itself, amtool knows no Alertmanager.
    t.match(section, `amtool silence add --alertmanager.url="$ALERTMANAGER" alertname=${alert} `)
  }
  const exported = new Set([...intro!.matchAll(/\b([A-Z_]+)=/g)].map(([, name]) => name))
  for (const [, name] of runbook.matchAll(/"\$([A-Z_]+)/g)) t.ok(exported.has(name), `${name} is given a value`)
  for (const [, command] of runbook.matchAll(/^kubectl .* (logs -l .*)$/gm)) t.match(command, / --tail=/, 'logs of a selector are ten lines of each pod otherwise')
  for (const [name, text] of [['its beginning', intro!] as const, ...sections.map((section, i) => [rules[i]!.alert, section] as const)]) await pastes(t, name, text)
})

/** The shell can read what is in its blocks. */
async function pastes (t: Test, name: string, text: string): Promise<void> {
  const [, block] = /```sh\n(.*?)```/s.exec(text) ?? []
  t.ok(block, `${name} has lines to paste`)
  await t.resolves(run('bash', ['-nc', block!]), name)
}
