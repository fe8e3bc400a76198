// What the configuration says of tokens, their proofs, their status and those that they are for.
import { Type } from 'typebox'
import { claims } from './claims.ts'
import { algorithm, Audience, duration, section, strict } from './parts.ts'

/** `tokens` */
export const TokensSchema = section('Lifetimes and signing.', {
  accessTtl: duration('10m', 'Lifetime of an access token.'),
  refreshIdle: duration('14d', 'A session ends when it is not refreshed for that long.'),
  refreshAbsolute: duration('90d', 'A session ends that long after its login.'),
  reuseGrace: duration(
    '10s',
    'For how long a used refresh token returns the same successor again.',
  ),
  algorithm: algorithm({
    default: 'ES256',
    description:
      'The algorithm that signs access tokens. A change causes a rotation: the new key signs ' +
      'after keys.publishAhead. Ed25519 means the same as EdDSA, which is what tokens say.',
  }),
  claimsMaxBytes: Type.Integer({
    default: 2048,
    minimum: 2,
    maximum: 4096,
    description:
      'How many bytes the claims from `claims` and `audiences["…"].claims` may ' +
      'take in one token, as JSON.',
  }),
})

/** `claims` */
export const ClaimsSchema = claims(
  'What access tokens for every audience say beside the claims of RFC 9068, each ' +
    'claim by its name.',
)

/** `dpop` */
export const DpopSchema = section('Proofs of possession (RFC 9449).', {
  proofAge: duration('1m', "How far the `iat` of a proof may be from the server's time."),
  nonce: Type.Boolean({
    default: true,
    description:
      'Whether a proof must carry a nonce of the server, so that proofs ' +
      'cannot be made in advance.',
  }),
})

/** `status` */
export const StatusSchema = section(
  'The status lists, by which verifiers learn of revoked access tokens without asking about ' +
    'each (IETF Token Status List).',
  {
    enabled: Type.Boolean({
      default: true,
      description: 'Whether access tokens name their place in a list.',
    }),
    ttl: duration(
      '10s',
      'How long a verifier may keep a list, and so for how long a revoked token may still be ' +
        'accepted.',
    ),
  },
)

/** `introspection` */
export const IntrospectionSchema = section('What is said of tokens at /introspect.', {
  cache: Type.Boolean({
    default: false,
    description:
      'Answers repeated questions about a token from memory until Redis reports a change. That ' +
      'saves a round trip, but a revocation may take up to a second to be noticed. Not with ' +
      'Redis Cluster; without effect on SQLite.',
  }),
})

/** `audiences` */
export const AudiencesSchema = Type.Record(
  Audience,
  Type.Object(
    {
      typ: Type.Union([Type.Literal('at+jwt'), Type.Literal('JWT')], {
        default: 'at+jwt',
        description:
          'The header `typ` of access tokens for this audience; JWT for verifiers ' +
          'that refuse at+jwt.',
      }),
      algorithm: Type.Optional(
        algorithm({
          description:
            'What signs the access tokens for this audience, their status lists ' +
            'and the signed introspection answers of its clients, with keys of ' +
            'its own in the same JWKS (`/.well-known/jwks.json?alg=…` has ' +
            'these alone). Set it for verifiers that support no other. Takes ' +
            'effect after keys.publishAhead.',
        }),
      ),
      claims: claims(
        'The same for this audience alone; one of the same name takes the place of that for all.',
      ),
    },
    { ...strict, default: {} },
  ),
  {
    propertyNames: Audience,
    default: {},
    description: 'What single audiences need.',
  },
)
