/** Of things that were measured in the same way, the one whose value is the median: one that there was, not a mixture. The lower of two. */
export function medianOf<T> (things: readonly T[], value: (thing: T) => number): T | undefined {
  const ascending = things.toSorted((a, b) => value(a) - value(b))
  return ascending[Math.ceil(ascending.length / 2) - 1]
}
