/** Why events may be missing; the closed set of `gaps_total{reason}`. */
export const GAP_REASONS = ['redis_outage', 'history_evicted', 'unknown_cursor'] as const
export type GapReason = typeof GAP_REASONS[number]

/** Of what was published between two times, in Unix milliseconds, some may be missing. */
export interface Gap {
  readonly reason: GapReason
  /** 0 where nothing tells since when. */
  readonly from: number
  readonly to: number
}
