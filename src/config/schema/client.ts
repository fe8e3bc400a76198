// What the configuration says of a client.
import { Type } from 'typebox'
import { algorithm, Audience, optionalDuration, ScopeToken, strict } from './parts.ts'

/** One of `clients`. */
export const ClientSchema = Type.Object(
  {
    id: Type.String({
      minLength: 1,
      maxLength: 64,
      pattern: '^[\\x20-\\x7E]+$',
      expected: 'up to 64 printable ASCII characters',
      description: 'client_id',
    }),
    secrets: Type.Array(
      Type.String({
        pattern: '^sha256:[A-Za-z0-9_-]{43}$',
        expected:
          'the sha256: line that `latchkey clients secret` prints beside a new secret',
      }),
      {
        maxItems: 2,
        default: [],
        description:
          'Hashes of the secrets; without one, the client is public; with two, ' +
          'you can rotate them. A hash does not show how strong its secret is, ' +
          'so use one from `latchkey clients secret`.',
      },
    ),
    keys: Type.Array(
      Type.Object(
        {
          kty: Type.Union([Type.Literal('EC'), Type.Literal('OKP'), Type.Literal('RSA')]),
        },
        { additionalProperties: Type.Unknown() },
      ),
      {
        default: [],
        description:
          'Public keys (JWK) of a client that authenticates by a signed assertion ' +
          '(private_key_jwt, ' +
          'RFC 7523).',
      },
    ),
    jwksUri: Type.Optional(
      Type.String({
        pattern: '^https?://[^\\s#]+$',
        expected: 'an https URL',
        description: 'The URL where Latchkey fetches these keys, instead of `keys`.',
      }),
    ),
    jwksUriMayBePrivate: Type.Boolean({
      default: false,
      description: 'Whether jwksUri may be at a private or loopback address.',
    }),
    assertionAudience: Type.Union([Type.Literal('issuer'), Type.Literal('endpoint')], {
      default: 'issuer',
      description:
        'Which audience its assertions may have: only the issuer, or also the URL of the token ' +
        'endpoint, which many libraries send by default (Spring Security, Authlib).',
    }),
    assertionMaxAge: optionalDuration(
      'How long its assertions may be valid; 10m when left out.',
    ),
    grants: Type.Array(
      Type.Union([
        Type.Literal('password'),
        Type.Literal('refresh_token'),
        Type.Literal('client_credentials'),
      ]),
      {
        default: [],
        description:
          'Grant types that the client may use. client_credentials, which gives it tokens of ' +
          'its own, needs secrets, keys or jwksUri.',
      },
    ),
    scopes: Type.Array(ScopeToken, {
      default: [],
      description: 'Scopes that the client may ask for.',
    }),
    audience: Type.Array(Audience, {
      default: [],
      description:
        'Audiences that the client may get tokens for; for a resource server, its own audiences.',
    }),
    introspect: Type.Union([Type.Literal('own'), Type.Literal('any')], {
      default: 'own',
      description:
        'Which tokens a confidential client may introspect: those issued to it or ' +
        'meant for one of ' +
        'its audiences, or any.',
    }),
    introspectByToken: Type.Boolean({
      default: false,
      description:
        'Whether a confidential client may introspect with an access token that was issued to ' +
        'it, instead of its secret (RFC 7662 §2.1). Every user of the client has such a token.',
    }),
    forwardsAddress: Type.Boolean({
      default: false,
      description:
        "Whether a confidential client may name the end user's address in Latchkey-Forwarded-For.",
    }),
    lateRetry: Type.Union([Type.Literal('burn'), Type.Literal('refuse')], {
      default: 'burn',
      description:
        'What happens when a used refresh token comes again after reuseGrace: its unused ' +
        'successor becomes void (burn), or the session ends (refuse).',
    }),
    dpop: Type.Union([Type.Literal('allowed'), Type.Literal('required')], {
      default: 'allowed',
      description:
        'Whether the client may or must bind its tokens to a key (DPoP, RFC 9449).',
    }),
    idTokenAlgorithm: Type.Optional(
      algorithm({
        description:
          'The algorithm for the ID tokens of the client, which it gets with ' +
          'the scope openid, and for the signed answers of /userinfo. Set it ' +
          'for a client that supports no other. Takes effect after ' +
          'keys.publishAhead. Default: tokens.algorithm.',
      }),
    ),
    accessTtl: optionalDuration('Overrides tokens.accessTtl for this client.'),
    refreshIdle: optionalDuration('Overrides tokens.refreshIdle for this client.'),
    refreshAbsolute: optionalDuration(
      'Overrides tokens.refreshAbsolute for this client.',
    ),
  },
  strict,
)
