// GET /.well-known/jwks.json (RFC 7517): what every verifier of every token fetches. From memory; never
// behind the store, a lock or a hash.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ClientRegistry } from '../../clients/registry.ts'
import type { Jwks } from '../../keys/ring-cache.ts'
import type { Fetch } from '../../keys/verifiers/sightings.ts'
import type { AlgorithmName } from '../../oauth/algorithms.ts'
import { senderOf } from '../request/client-gone.ts'
import { setErrorHandler } from '../request/error-handler.ts'
import { matchesEtag } from '../request/etag.ts'
import { SECURITY_HEADERS } from '../request/security-headers.ts'
import { algorithmQuery, askedAlgorithm, judgedByHandler } from './algorithm-query.ts'
import { documentSchema, errors } from './openapi/schemas.ts'

const PATH = '/.well-known/jwks.json'

const DOCUMENT = documentSchema({
  title: 'JWKS',
  summary: 'The public keys',
  operationId: 'jwks',
  members: {
    keys: {
      type: 'array',
      description: 'One JWK (RFC 7517) for each key.',
      items: { type: 'object', additionalProperties: true },
    },
  },
  example: {
    keys: [
      {
        kty: 'EC',
        crv: 'P-256',
        x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
        y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
        kid: 'b7DkBWyHyQOVyVTDxs1Lkw0Zb7nLVh1qNwHnHfFZTWM',
        use: 'sig',
        alg: 'ES256',
      },
    ],
  },
})

export interface JwksRouteOptions {
  readonly jwks: (algorithm?: AlgorithmName) => Jwks
  readonly clients: Pick<ClientRegistry, 'find'>
  /** Notified of every fetch. */
  readonly fetched: (fetch: Fetch) => void
  /** Notified of every answer. */
  readonly count: (status: 200 | 304) => void
}

// The keys are public: scripts of any page may read them, too. Names and values in turn.
const HEADERS: readonly string[] = [
  'content-type',
  'application/json; charset=utf-8',
  'access-control-allow-origin',
  '*',
  ...Object.entries(SECURITY_HEADERS).flat(),
]

const JWKS_SCHEMA = {
  ...DOCUMENT,
  querystring: algorithmQuery(
    'Only the keys of this algorithm, for a verifier that knows no other; none while the ring has none.',
  ),
  response: { ...DOCUMENT.response, ...errors(400) },
}

/**
 * The keys. Register the route outside of the hooks of all others: it answers more often than all others
 * together, and needs none of them.
 */
export async function jwksRoute(
  app: FastifyInstance,
  { jwks, clients, fetched, count }: JwksRouteOptions,
): Promise<void> {
  let stopping = false
  app.addHook('preClose', async () => {
    stopping = true
  })
  app.setChildLoggerFactory(logger => logger)
  setErrorHandler(app)
  app.get(
    PATH,
    { schema: JWKS_SCHEMA, validatorCompiler: judgedByHandler },
    (request, reply) => {
      const algorithm = askedAlgorithm(request)
      const fetch = fetchOf(request, clients)
      if (fetch !== undefined) fetched(fetch)
      count(answer(request, reply, { ...jwks(algorithm), stopping }))
    },
  )
}

// A verifier may say which client it is, in its URL of the keys; that changes only what `latchkey keys
// status` shows. A client that has left by now fetched nothing.
function fetchOf(
  request: FastifyRequest,
  clients: Pick<ClientRegistry, 'find'>,
): Fetch | undefined {
  const { query, headers } = request
  const address = senderOf(request)
  if (address === undefined) return undefined
  const { client_id: id } = Object(query)
  return {
    clientId: typeof id === 'string' && clients.find(id) !== undefined ? id : null,
    userAgent: headers['user-agent'] ?? '',
    address,
    conditional: headers['if-none-match'] !== undefined,
  }
}

// Written past the framework's reply, whose headers and hooks cost as much again as all the rest (npm run
// bench:jwks).
function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { body, etag, maxAge, stopping }: Jwks & { readonly stopping: boolean },
): 200 | 304 {
  const headers = [...HEADERS, 'etag', etag, 'cache-control', `public, max-age=${maxAge}`]
  if (stopping) headers.push('connection', 'close')
  const { raw } = reply.hijack()
  if (matchesEtag(request.headers['if-none-match'], etag)) {
    raw.writeHead(304, headers).end()
    return 304
  }
  headers.push('content-length', String(Buffer.byteLength(body)))
  raw.writeHead(200, headers).end(body)
  return 200
}
