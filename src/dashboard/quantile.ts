import type { Distribution } from '../metrics.js'

/** What has been seen since then. */
export function since (now: Distribution, then: Distribution): Distribution {
  return {
    bounds: now.bounds,
    upTo: now.upTo.map((count, i) => count - then.upTo[i]!),
    count: now.count - then.count,
    sum: now.sum - then.sum,
  }
}

/**
 * The value that this share of all values does not exceed, as `histogram_quantile` of Prometheus tells it: values are
 * taken to be spread evenly between bounds, and those beyond the last to be at it. NaN where there are none.
 */
export function quantile (share: number, { bounds, upTo, count }: Distribution): number {
  if (count === 0) return NaN
  const rank = share * count
  const bucket = upTo.findIndex((below) => below >= rank)
  if (bucket === -1) return bounds.at(-1)!
  const [lower, below] = bucket === 0 ? [0, 0] : [bounds[bucket - 1]!, upTo[bucket - 1]!]
  return lower + (bounds[bucket]! - lower) * (rank - below) / (upTo[bucket]! - below)
}
