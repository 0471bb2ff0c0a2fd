/** A question that the kubelet asks again and again, and how many wrong answers in a row it takes for a no. */
export interface ProbeValues {
  readonly path: string
  readonly periodMs: number
  readonly timeoutMs: number
  readonly failureThreshold: number
}

/** What the chart says of a deployment, and what is assumed of the cluster. */
export interface Values {
  readonly replicas: number
  readonly minReadySeconds: number
  readonly preStopSeconds: number
  readonly startupProbe: ProbeValues
  readonly readinessProbe: ProbeValues
  readonly livenessProbe: ProbeValues
  /** How long after a change of the endpoints the proxy goes by it. */
  readonly propagationMs: number
  /** The service's, beside its defaults in production. */
  readonly env: {
    readonly HEARTBEAT_MS: string
    readonly DRAIN_DELAY_MS: string
    readonly DRAIN_WINDOW_MS: string
  }
}

/** What is to be rehearsed, with maxSurge 1 and maxUnavailable 0: what the chart says by default (test/helm.test.ts). */
export const chart: Values = {
  replicas: 2,
  minReadySeconds: 5,
  preStopSeconds: 5,
  startupProbe: { path: '/healthz', periodMs: 1_000, timeoutMs: 2_000, failureThreshold: 60 },
  readinessProbe: { path: '/readyz', periodMs: 2_000, timeoutMs: 2_000, failureThreshold: 2 },
  livenessProbe: { path: '/healthz', periodMs: 10_000, timeoutMs: 5_000, failureThreshold: 3 },
  propagationMs: 2_000,
  env: { HEARTBEAT_MS: '15000', DRAIN_DELAY_MS: '5000', DRAIN_WINDOW_MS: '20000' },
}

/** The same with less waiting. */
export const quick: Values = {
  ...chart,
  minReadySeconds: 1,
  preStopSeconds: 1,
  env: { HEARTBEAT_MS: '2000', DRAIN_DELAY_MS: '2000', DRAIN_WINDOW_MS: '5000' },
}

/** Spare time of a pod's end, beyond what it takes by plan. */
const SPARE_S = 15

/** How long after it was told to end a pod is killed. */
export function graceSeconds ({ preStopSeconds, env: { DRAIN_DELAY_MS, DRAIN_WINDOW_MS } }: Values): number {
  return preStopSeconds + Math.ceil((Number(DRAIN_DELAY_MS) + Number(DRAIN_WINDOW_MS)) / 1_000) + SPARE_S
}
