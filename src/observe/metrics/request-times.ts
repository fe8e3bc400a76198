// How long requests take, by method, route and status.
import type { createDurations, Observe } from './tally.ts'

/** A request that has been answered. */
export interface FinishedRequest {
  readonly method: string
  /** The route's pattern. */
  readonly route: string
  readonly status: number
  readonly seconds: number
  /** Of its trace; undefined: it isn't traced. */
  readonly traceId?: string | undefined
}

/**
 * Makes the times of requests; the result notes one. Method, route and status are looked up one by one: a key
 * made of all three would cost more than the counting.
 */
export function createRequestTimes(
  series: ReturnType<typeof createDurations>['series'],
): (request: FinishedRequest) => void {
  const routes = new Map<string, Map<string, Map<number, Observe>>>()
  return ({ method, route, status, seconds, traceId }) => {
    const methods = within(routes, route, () => new Map())
    const statuses = within(methods, method, () => new Map())
    within(statuses, status, () => series({ method, route, status }))(seconds, traceId)
  }
}

function within<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
