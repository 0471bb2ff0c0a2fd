/** The smallest value that at least this share (0–1) of the values, which ascend, do not exceed; `undefined` of none. */
export function percentile (ascending: ArrayLike<number>, share: number): number | undefined {
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)]
}
