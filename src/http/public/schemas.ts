// What several routes say of themselves: the shapes that validate, serialise and document (OpenAPI) at once.
import { Type } from 'typebox'
import { FORM } from '../request/form-body.ts'

/** RFC 6749 §5.2. */
export const ErrorResponse = Type.Object(
  {
    error: Type.String({ description: 'The error code.' }),
    error_description: Type.Optional(
      Type.String({ description: 'A sentence for developers.' }),
    ),
  },
  { title: 'Error' },
)

const CREDENTIALS = {
  client_id: Type.Optional(
    Type.String({ description: 'The client, unless it is named by HTTP Basic.' }),
  ),
  client_secret: Type.Optional(
    Type.String({ description: 'Its secret, unless it is given by HTTP Basic.' }),
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

/**
 * A form body: the endpoint's parameters and the client's credentials; unknown parameters are ignored (RFC
 * 6749 §3.2).
 */
export function formBody<Properties extends Parameters<typeof Type.Object>[0]>(
  properties: Properties,
) {
  return Type.Object({ ...properties, ...CREDENTIALS })
}

/** The errors that an endpoint documents. */
export function errors(...statuses: number[]) {
  return Object.fromEntries(statuses.map(status => [status, ErrorResponse]))
}

/** What an endpoint consumes and how its client proves who it is. */
export const FORM_ENDPOINT = { consumes: [FORM], tags: ['OAuth 2.0'] }

/** A document that anybody may fetch, as it is. */
export function documentSchema(title: string, summary: string, operationId: string) {
  return {
    tags: ['Discovery'],
    summary,
    operationId,
    response: { 200: Type.Unsafe({ type: 'object', additionalProperties: true, title }) },
  }
}
