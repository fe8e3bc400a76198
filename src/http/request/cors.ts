// Which pages may read an answer (the Fetch standard's CORS protocol).
import type { FastifyCorsOptions } from '@fastify/cors'
import type { FastifyRequest } from 'fastify'

// A browser hides a header from a page unless it is named here.
const EXPOSED_HEADERS = [
  'dpop-nonce',
  'www-authenticate',
  'retry-after',
  'ratelimit-limit',
  'ratelimit-remaining',
  'ratelimit-reset',
  'x-request-id',
]

// Those of /account, too: @fastify/cors allows the first three by itself.
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

export interface CorsSettings {
  /** The origins whose pages may call the endpoints; `*`: all. */
  readonly origins: readonly string[]
  /** The issuer's path, without a slash at its end; empty where it has none. */
  readonly path: string
}

/** Options for @fastify/cors: any page may read documents, configured origins the endpoints. */
export function corsOptions({ origins, path }: CorsSettings) {
  const common = {
    maxAge: 600,
    strictPreflight: false,
    exposedHeaders: EXPOSED_HEADERS,
  }
  const everybody: FastifyCorsOptions = { ...common, origin: '*' }
  const configured: FastifyCorsOptions = {
    ...common,
    methods: METHODS,
    origin: origins.includes('*') ? '*' : origins.length > 0 && [...origins],
  }
  return {
    delegator(
      { url }: FastifyRequest,
      done: (error: null, options: FastifyCorsOptions) => void,
    ) {
      done(null, isDocument(url, path) ? everybody : configured)
    },
  }
}

/** Whether OPTIONS is answered at this URL: at documents always, elsewhere where origins are configured. */
export function answersOptions(url: string, { origins, path }: CorsSettings): boolean {
  return origins.length > 0 || isDocument(url, path)
}

// Keys, metadata and status lists. Only the beginning of the path decides: neither a query nor the
// end of another endpoint's path makes a document.
function isDocument(url: string, path: string): boolean {
  const [all = ''] = url.split('?', 1)
  const below = path !== '' && all.startsWith(`${path}/`) ? all.slice(path.length) : all
  return (
    below === '/status' ||
    below.startsWith('/status/') ||
    below.startsWith('/.well-known/')
  )
}
