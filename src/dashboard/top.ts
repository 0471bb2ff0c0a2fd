/** The n entries with the most, the most first; looks at each once, and keeps no more than these. */
export function topOf (entries: Iterable<readonly [name: string, much: number]>, n: number): Array<readonly [name: string, much: number]> {
  const top: Array<readonly [string, number]> = []
  for (const entry of entries) {
    if (top.length === n && entry[1] <= top[n - 1]![1]) continue
    const place = top.findIndex(([, much]) => much < entry[1])
    top.splice(place === -1 ? top.length : place, 0, entry)
    if (top.length > n) top.pop()
  }
  return top
}
