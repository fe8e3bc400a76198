// Guards of Fastify's routes: before the body is read, the token is verified and has the route's scopes.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from './refusal.ts'
import { createVerifier, type Bearer, type VerifierOptions } from './verifier.ts'

/** What `createGuard` gives. */
export interface Guard {
  /** A hook for `onRequest` of a route, or of all: lets pass whose token has every one of the scopes. */
  needs(
    ...scopes: string[]
  ): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>
  /** Whose request this is. Throws on a route that has no guard. */
  bearerOf(request: FastifyRequest): Bearer
}

/** Makes guards. One for the life of the app. */
export function createGuard(options: VerifierOptions): Guard {
  const verify = createVerifier(options)
  const bearers = new WeakMap<FastifyRequest, Bearer>()
  return {
    needs:
      (...scopes) =>
      async (request, reply) => {
        const { method, originalUrl: path, headers } = request
        const { authorization, dpop } = headers
        const proof = dpop?.toString()
        try {
          const presented = { method, path, authorization, proof }
          bearers.set(request, await verify(presented, ...scopes))
          return undefined
        } catch (error) {
          if (!(error instanceof Refusal)) throw error
          request.log.info(
            { refused: error.error, cause: String(error.cause ?? '') },
            'refused',
          )
          return reply
            .code(error.statusCode)
            .headers(error.headers)
            .send({ error: error.error })
        }
      },
    bearerOf(request) {
      const bearer = bearers.get(request)
      if (bearer === undefined) {
        throw new TypeError('this route has no guard: give it needs(…)')
      }
      return bearer
    },
  }
}
