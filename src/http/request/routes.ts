// Which methods a path takes. The router itself answers only for patterns, and a caller's path must never be
// taken for one: it may hold any character.
import type { FastifyInstance } from 'fastify'

/** The routes of a server. */
export interface RouteTable {
  /**
   * The methods of the routes that match a path, in alphabetical order; empty where there is nothing. The
   * route by which CORS answers OPTIONS at every path is no such route.
   */
  methodsAt(path: string): readonly string[]
}

/** Collects the routes that are registered after it, in all scopes. */
export function collectRoutes(app: FastifyInstance): RouteTable {
  const patterns = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const methods = patterns.get(url) ?? new Set()
    if (url.endsWith('*') && method === 'OPTIONS') return
    for (const name of [method].flat()) methods.add(name)
    // For a path with a slash at its end the framework announces HEAD alone.
    if (methods.has('HEAD')) methods.add('GET')
    patterns.set(url, methods)
  })
  return {
    methodsAt(path) {
      const segments = path.split('/')
      const found = [...patterns].flatMap(([pattern, methods]) =>
        matches(pattern.split('/'), segments) ? [...methods] : [],
      )
      return [...new Set(found)].sort()
    },
  }
}

// A pattern has names that begin with a colon for one segment each, and may end with an asterisk for all the
// rest.
function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  const takesRest = pattern.at(-1) === '*'
  const named = takesRest ? pattern.slice(0, -1) : pattern
  return (
    (takesRest ? segments.length > named.length : segments.length === named.length) &&
    named.every((part, index) => part === segments[index] || part.startsWith(':'))
  )
}
