// The schema of /token in the OpenAPI document, composed of what the grants declare.
import { Type, type TSchema } from 'typebox'
import { GRANTS } from '../../../grants/all.ts'
import type { GrantDescription } from '../../../grants/descriptor.ts'
import { errors, formBody, FORM_ENDPOINT, jsonResponse } from './schemas.ts'

const TYPES = GRANTS.map(({ type }) => type)

const TokenRequest = formBody(
  {
    grant_type: Type.Unsafe<string>({
      type: 'string',
      enum: TYPES,
      description: `How the client asks for tokens: with ${anyOf(TYPES)}.`,
    }),
    ...parametersOf(GRANTS),
  },
  {
    title: 'TokenRequest',
    examples: Object.fromEntries(
      GRANTS.map(({ label, summary, example }) => [label, { summary, value: example }]),
    ),
  },
)

/** RFC 6749 §5.1, OIDC Core §3.1.3.3. */
const TokenResponse = Type.Object(
  {
    access_token: Type.String({ description: 'A JWT (RFC 9068).' }),
    token_type: Type.Unsafe<'Bearer' | 'DPoP'>({
      type: 'string',
      enum: ['Bearer', 'DPoP'],
      description:
        'DPoP: it is bound to the key of the proof that came with the request.',
    }),
    expires_in: Type.Integer({ description: 'Seconds.' }),
    refresh_token: Type.Optional(
      Type.String({ description: 'For clients that may refresh.' }),
    ),
    id_token: Type.Optional(
      Type.String({
        description: 'A JWT (OpenID Connect Core §2), with the scope openid.',
      }),
    ),
    scope: Type.Optional(
      Type.String({ description: 'What was granted, separated by spaces.' }),
    ),
    password_change_required: Type.Optional(
      Type.Literal(true, {
        description:
          'Only after a login with a password that was copied from a directory and breaks the rules for ' +
          'new ones: let the user set another one.',
      }),
    ),
  },
  { title: 'TokenResponse' },
)

/** The schema of the route. */
export const TOKEN_SCHEMA = {
  ...FORM_ENDPOINT,
  summary: 'Get tokens',
  description: GRANTS.map(({ type, summary }) => `- \`${type}\`: ${summary}`).join('\n'),
  operationId: 'token',
  security: [{ client: [] }, {}],
  headers: Type.Object({
    DPoP: Type.Optional(
      Type.String({ description: 'Proof of the key to bind the tokens to (RFC 9449).' }),
    ),
  }),
  body: TokenRequest,
  response: {
    200: jsonResponse('The tokens.', TokenResponse, {
      access_token: 'eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2lnbmF0dXJl',
      token_type: 'Bearer',
      expires_in: 600,
      refresh_token: 'rt_AQABx5dVPuEVfgYXuLhCsmTCEQ',
      scope: 'orders:read',
    }),
    ...errors(400, 401, 413, 415, 429, 503),
  },
}

function anyOf(names: readonly string[]): string {
  return new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(names)
}

/** The parameters of all grants in one form: each says which grants take it, unless all do. */
function parametersOf(grants: readonly GrantDescription[]): Record<string, TSchema> {
  const all = Object.assign({}, ...grants.map(({ parameters }) => parameters))
  return Object.fromEntries(
    Object.keys(all).map(name => {
      const takers = grants.filter(({ parameters }) => name in parameters)
      const only =
        takers.length === grants.length
          ? ''
          : ` With grant_type ${anyOf(takers.map(({ type }) => type))} only.`
      const schema = { ...all[name], description: `${all[name].description}${only}` }
      return [name, Type.Optional(schema)]
    }),
  )
}
