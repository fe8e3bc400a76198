// How the routes of /admin/v1 are described: their scope, and what each refuses.
import { Type, type TSchema } from 'typebox'
import {
  ErrorResponse,
  errors,
  jsonResponse,
  TOKEN_REFUSED,
} from '../../public/openapi/schemas.ts'

/** What is said of a route. */
export interface RouteWords {
  readonly summary: string
  readonly operationId: string
  readonly tag: 'Sessions' | 'Logins' | 'Keys' | 'Clients'
  /** The scope that a token must have. */
  readonly scope: 'admin' | 'admin.read'
}

/** The part of a route's schema that describes it. */
export function described({ tag, scope, ...words }: RouteWords) {
  return {
    ...words,
    tags: [tag],
    security: [{ machine: [scope] }, { bearer: [] }],
  }
}

/** What every route may refuse; further statuses where they are named. */
export function refusals(...more: ReadonlyArray<400 | 404 | 409>) {
  return {
    ...TOKEN_REFUSED,
    ...errors(403, 429, 503),
    ...Object.fromEntries(
      more.map(status => {
        const [description, error] = MORE[status]
        return [status, jsonResponse(description, ErrorResponse, { error })]
      }),
    ),
  }
}

const MORE = {
  400: ['The request is malformed.', 'invalid_request'],
  404: ['There is no such account, session or subject.', 'not_found'],
  409: ["It can't be done as things are.", 'conflict'],
} as const

/** 204: it is done. */
export const DONE = { 204: { description: 'Done.', type: 'null' } }

/** An answer with its example. */
export function answer(schema: TSchema, example: object, words = 'As it is now.') {
  return { 200: jsonResponse(words, schema, example) }
}

/** The path of an account. */
export const AccountParams = Type.Object({
  sub: Type.String({ description: "The account's stable id: `sub`, or `id` in SCIM." }),
})
