// Guards of Express' routes: before the body is read, the token is verified and has the route's scopes.
import type { Request, RequestHandler } from 'express'
import { Refusal } from './refusal.ts'
import { createVerifier, type Bearer, type VerifierOptions } from './verifier.ts'

/** What `createGuard` gives. */
export interface Guard {
  /** A middleware: lets pass whose token has every one of the scopes. */
  needs(...scopes: string[]): RequestHandler
  /** Whose request this is. Throws on a route that has no guard. */
  bearerOf(request: Request): Bearer
}

/** Makes guards. One for the life of the app. */
export function createGuard(options: VerifierOptions): Guard {
  const verify = createVerifier(options)
  const bearers = new WeakMap<object, Bearer>()
  return {
    needs:
      (...scopes) =>
      (request, response, next) => {
        const { method, originalUrl: path } = request
        const [authorization, proof] = [request.get('authorization'), request.get('dpop')]
        verify({ method, path, authorization, proof }, ...scopes).then(
          bearer => {
            bearers.set(request, bearer)
            next()
          },
          (error: unknown) => {
            if (!(error instanceof Refusal)) return next(error)
            response
              .status(error.statusCode)
              .set(error.headers)
              .json({ error: error.error })
          },
        )
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
