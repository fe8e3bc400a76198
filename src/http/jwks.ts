// GET /.well-known/jwks.json (RFC 7517): what every verifier of every token fetches. From memory; never behind the store, a lock or a hash.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ClientRegistry } from '../clients/registry.ts'
import type { Jwks } from '../keys/held.ts'
import type { Fetch } from '../keys/sightings.ts'
import { documentSchema } from './schemas.ts'

const PATH = '/.well-known/jwks.json'

export interface JwksRouteOptions {
  readonly jwks: () => Jwks
  readonly clients: Pick<ClientRegistry, 'find'>
  /** Told of every fetch. */
  readonly fetched: (fetch: Fetch) => void
  /** Told of every answer; seconds. */
  readonly observe: (method: string, route: string, status: number, seconds: number) => void
}

// Whoever may read the keys may read them from a page, too. The rest is what app.ts gives to every other answer.
const HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'access-control-allow-origin': '*',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
}

/**
 * The keys. To be registered outside of what every other route goes through: this one answers more often than all others together, and
 * needs none of it.
 */
export async function jwksRoute (app: FastifyInstance, { jwks, clients, fetched, observe }: JwksRouteOptions): Promise<void> {
  app.addHook('onResponse', (request, reply, done) => {
    observe(request.method, app.prefix + PATH, reply.statusCode, reply.elapsedTime / 1000)
    done()
  })
  app.get(PATH, { schema: documentSchema('JWKS', 'The public keys', 'jwks') }, (request, reply) => {
    fetched(fetchOf(request, clients))
    answer(request, reply, jwks())
  })
}

// A verifier may say which client it is, in its URL of the keys; that changes nothing but what an operator is told.
function fetchOf ({ query, headers, ip }: FastifyRequest, clients: Pick<ClientRegistry, 'find'>): Fetch {
  const { client_id: id } = Object(query)
  return {
    clientId: typeof id === 'string' && clients.find(id) !== undefined ? id : null,
    userAgent: headers['user-agent'] ?? '',
    address: ip,
    conditional: headers['if-none-match'] !== undefined,
  }
}

function answer (request: FastifyRequest, reply: FastifyReply, { body, etag, maxAge }: Jwks): void {
  reply.headers(HEADERS).header('etag', etag).header('cache-control', `public, max-age=${maxAge}`)
  if (names(request.headers['if-none-match'], etag)) reply.code(304).send()
  else reply.send(body)
}

// RFC 9110 §13.1.2: a list, or *, compared weakly.
function names (condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false
  return condition.trim() === '*' || condition.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag)
}
