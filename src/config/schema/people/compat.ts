// What the configuration says of old clients, which go on as they are while a team moves in.
import { Type } from 'typebox'
import { section } from '../parts.ts'

const TARGETS = ['/token', '/revoke', '/introspect', '/userinfo'] as const

const OldPath = Type.String({
  pattern: '^/[A-Za-z0-9._~/-]{1,200}$',
  expected: 'a path such as /auth/login',
})

const day = (description: string) =>
  Type.Optional(
    Type.String({
      pattern: '^\\d{4}-\\d{2}-\\d{2}$',
      expected: 'a day such as 2027-03-31',
      description,
    }),
  )

/** `compat` */
export const CompatSchema = section(
  'What old clients may go on doing while they are replaced; every switch is off by default.',
  {
    defaultClient: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        expected: 'the id of a public client',
        description:
          'The public client that a token request without any client is taken to come from.',
      }),
    ),
    grantType: Type.Optional(
      Type.Literal('password', {
        expected: 'password',
        description:
          'The grant type that is assumed if a request has a username and a ' +
          'password, but no grant type.',
      }),
    ),
    json: Type.Boolean({
      default: false,
      description:
        'Whether the token endpoint accepts JSON: one object whose values are texts.',
    }),
    paths: Type.Record(
      OldPath,
      Type.Union(
        TARGETS.map(path => Type.Literal(path)),
        { description: 'The endpoint that answers there.' },
      ),
      {
        propertyNames: OldPath,
        default: {},
        description: `Old path → the endpoint that answers there: ${TARGETS.join(', ')}.`,
      },
    ),
    keycloak: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9._~-]{1,64}$',
        expected: 'the name of a realm: letters, digits, dots, _, ~ and -',
        description:
          'The Keycloak realm whose paths are served below /realms/ and its ' +
          'name: token, userinfo, logout with a refresh token, certs, ' +
          'token/introspect, revoke and the discovery document.',
      }),
    ),
    deprecation: day(
      'The day since which this is deprecated, sent to old clients in the ' +
        'header Deprecation (RFC 9745).',
    ),
    sunset: day(
      'The day on which it ends, sent to old clients in the header Sunset (RFC ' +
        '8594).',
    ),
  },
)
