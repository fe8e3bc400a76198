// Schemas that several routes share; each both serialises and documents (OpenAPI). A schema with a title
// becomes a component of the document (openapi-document.ts).
import { Type, type TSchema } from 'typebox'
import { FORM } from '../../request/form-body.ts'

const JSON_TYPE = 'application/json'

/** RFC 6749 §5.2. */
export const ErrorResponse = Type.Object(
  {
    error: Type.String({ description: 'The error code.' }),
    error_description: Type.Optional(
      Type.String({ description: 'A sentence for developers.' }),
    ),
  },
  { title: 'OAuthError', description: 'Why a request is refused (RFC 6749 §5.2).' },
)

/** The description of a status, and an error that is answered with it. */
const ERRORS = {
  400: ['The request is malformed, or what it asks for is refused.', 'invalid_request'],
  401: ['The client has not proved who it is.', 'invalid_client'],
  403: ['The token is valid, but lacks a scope.', 'insufficient_scope'],
  404: ['There is no such thing.', 'not_found'],
  409: ['Somebody else has changed it in the meantime.', 'conflict'],
  413: ['The body is too large.', 'invalid_request'],
  415: ['The body is of another type.', 'invalid_request'],
  429: ['Too many requests; `Retry-After` says when to try again.', 'slow_down'],
  501: ['That is not offered.', 'not_implemented'],
  503: [
    'A fault of this server: you may repeat the same request.',
    'temporarily_unavailable',
  ],
} satisfies Readonly<Record<number, readonly [description: string, error: string]>>

const CREDENTIALS = {
  client_id: Type.Optional(
    Type.String({ description: 'The client, unless it is named by HTTP Basic.' }),
  ),
  client_secret: Type.Optional(
    Type.String({
      format: 'password',
      description: 'Its secret, unless it is given by HTTP Basic.',
    }),
  ),
  client_assertion_type: Type.Optional(
    Type.String({
      description:
        'With client_assertion: urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }),
  ),
  client_assertion: Type.Optional(
    Type.String({
      description:
        "A JWT signed by the client's own key (RFC 7523), instead of a secret.",
    }),
  ),
}

/** How a form is called in the document, and requests that hold it, by their names. */
export interface FormDocumentation {
  readonly title: string
  readonly examples: Readonly<Record<string, { readonly value: object }>>
}

/**
 * A form body: the endpoint's parameters and the client's credentials; unknown parameters are ignored (RFC
 * 6749 §3.2).
 */
export function formBody<Properties extends Parameters<typeof Type.Object>[0]>(
  properties: Properties,
  { title, examples }: FormDocumentation,
) {
  return Type.Object({ ...properties, ...CREDENTIALS }, { title, 'x-examples': examples })
}

/** The form of the endpoints that take one token, to ask about it or to end it. */
export function tokenForm(title: string) {
  return formBody(
    {
      token: Type.String({ description: 'An access token or a refresh token.' }),
      token_type_hint: Type.Optional(
        Type.String({ description: 'Ignored: the token itself says what it is.' }),
      ),
    },
    { title, examples: { token: { value: { token: 'rt_AQABx5dVPuEVfgYXuLhCsmTCEQ' } } } },
  )
}

/** An answer in JSON. */
export function jsonResponse(description: string, schema: TSchema, example: object) {
  return { description, content: { [JSON_TYPE]: { schema, example } } }
}

/** The errors that an endpoint documents. */
export function errors(...statuses: ReadonlyArray<keyof typeof ERRORS>) {
  return Object.fromEntries(
    statuses.map(status => {
      const [description, error] = ERRORS[status]
      return [status, jsonResponse(description, ErrorResponse, { error })]
    }),
  )
}

/** 401 where an access token is asked for (RFC 6750 §3). */
export const TOKEN_REFUSED = {
  401: jsonResponse('There is no access token, or it is not valid here.', ErrorResponse, {
    error: 'invalid_token',
  }),
}

/** What an endpoint consumes and how its client proves who it is. */
export const FORM_ENDPOINT = { consumes: [FORM], tags: ['OAuth 2.0'] }

/** What a document says of itself. */
export interface DocumentDocumentation {
  readonly title: string
  readonly summary: string
  readonly operationId: string
  /** Members that a reader may count on; others may stand beside them. */
  readonly members?: Readonly<Record<string, object>>
  readonly example: object
}

/** A document that anybody may fetch, as it is. */
export function documentSchema({
  title,
  summary,
  operationId,
  members = {},
  example,
}: DocumentDocumentation) {
  const schema = Type.Unsafe({
    type: 'object',
    properties: members,
    required: Object.keys(members),
    additionalProperties: true,
    title,
  })
  return {
    tags: ['Discovery'],
    summary,
    operationId,
    security: [],
    response: { 200: jsonResponse(`${summary}.`, schema, example) },
  }
}
