// Old paths lead to our endpoints before a route is looked for, so that limits, CORS and refusals are those
// of the endpoint.
import type { FastifyInstance } from 'fastify'
import type { RouteTable } from '../request/routes.ts'

/** What the URLs of old clients are read with. */
export interface OldPaths {
  /** Old path → our own. */
  readonly paths: Readonly<Record<string, string>>
  /** The issuer's path, without a slash at its end; empty where it has none. */
  readonly path: string
}

/**
 * Makes the function that gives the URL of the endpoint for an old one, and any other URL as it is. An old
 * path counts as it stands and below the issuer's path; the query stays.
 *
 * @returns undefined where there are no old paths
 */
export function createRewrite({
  paths,
  path,
}: OldPaths): ((url: string) => string) | undefined {
  if (Object.keys(paths).length === 0) return undefined
  const targets = new Map(
    Object.entries(paths).flatMap(([old, target]) => [
      [old, target] as const,
      [`${path}${old}`, target] as const,
    ]),
  )
  return url => {
    const at = url.indexOf('?')
    const asked = at === -1 ? url : url.slice(0, at)
    const target = targets.get(asked)
    return target === undefined ? url : target + url.slice(asked.length)
  }
}

/** Refuses to start where an old path is one that the server has itself. */
export function refuseOwnPaths(
  app: FastifyInstance,
  routes: RouteTable,
  paths: OldPaths['paths'],
): void {
  app.addHook('onReady', async () => {
    const own = Object.keys(paths).find(path => routes.methodsAt(path).length > 0)
    if (own !== undefined) {
      throw new Error(
        `compat.paths has ${own}, which Latchkey serves itself: leave it out there`,
      )
    }
  })
}
