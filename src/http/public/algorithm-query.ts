// ?alg= at the documents that the ring signs or publishes: for a verifier that knows one algorithm only.
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { algorithmNamed, JOSE_NAMES, type AlgorithmName } from '../../oauth/algorithms.ts'
import { invalidRequest } from '../../oauth/errors.ts'

/** The parameter as OpenAPI shows it. */
export function algorithmQuery(description: string) {
  return Type.Object({
    alg: Type.Optional(Type.Enum([...JOSE_NAMES], { description, examples: ['RS256'] })),
  })
}

/** For a route whose query is documented by a schema and judged by its handler. */
export const judgedByHandler = () => () => true

/**
 * The algorithm that a request asks for, by its old or its new name; undefined: it doesn't ask.
 *
 * @throws OAuthError invalid_request for a name that isn't in the table, and for two
 */
export function askedAlgorithm({ query }: FastifyRequest): AlgorithmName | undefined {
  const { alg } = Object(query)
  if (alg === undefined) return undefined
  const algorithm = algorithmNamed(alg)
  if (algorithm === undefined) {
    throw invalidRequest(`alg must be one of ${JOSE_NAMES.join(', ')}`)
  }
  return algorithm.name
}
