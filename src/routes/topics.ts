import { BadTopics } from '../errors.js'
import { Filter, MAX_TOPICS } from '../fanout/filter.js'

/** A list of topics as a client gives it; `undefined`, for all, where it gives none. */
export function readTopics (list: string | undefined): Filter | undefined {
  if (list === undefined) return undefined
  const filter = Filter.parse(list)
  if (filter === undefined) throw new BadTopics(MAX_TOPICS)
  return filter
}
