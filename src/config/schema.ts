// The one place where a configuration key is written: type, default and description (docs/config.schema.json
// is made from it).
import { Type, type Static, type StaticDecode, type TSchema } from 'typebox'
import {
  JOSE_NAMES,
  requireAlgorithm,
  type AlgorithmName,
  type JoseName,
} from '../oauth/algorithms.ts'
import { DURATION_PATTERN, formatDuration, parseDuration } from './values/duration.ts'

const strict = { additionalProperties: false }

function duration(defaultValue: string, description: string) {
  const text = Type.String({
    pattern: DURATION_PATTERN,
    default: defaultValue,
    description,
    expected: 'a duration such as 10s, 15m, 12h or 14d',
  })
  return Type.Codec(text).Decode(parseDuration).Encode(formatDuration)
}

function optionalDuration(description: string) {
  const text = Type.String({
    pattern: DURATION_PATTERN,
    description,
    expected: 'a duration such as 10s, 15m, 12h or 14d',
  })
  return Type.Optional(Type.Codec(text).Decode(parseDuration).Encode(formatDuration))
}

function section<Properties extends Record<string, TSchema>>(
  description: string,
  properties: Properties,
) {
  return Type.Object(properties, { ...strict, default: {}, description })
}

const port = (value: number, description: string) =>
  Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: value,
    description,
  })

const ScopeToken = Type.String({
  pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]+$',
  expected: 'a scope: printable ASCII without space, " and \\',
})

const Audience = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: '^[\\x21-\\x7E]+$',
  expected: 'an audience: a URI or a name without blanks',
})

/** The name that tokens bear is decoded from: Ed25519 and EdDSA are the same (RFC 9864). */
function algorithm(options: {
  readonly default?: AlgorithmName
  readonly description: string
}) {
  const names = Type.Union(JOSE_NAMES.map(name => Type.Literal(name)))
  const expected = `one of ${JOSE_NAMES.join(', ')}`
  return Type.Codec(Object.assign(Type.Unsafe<JoseName>(names), { ...options, expected }))
    .Decode(name => requireAlgorithm(name).name)
    .Encode(name => name)
}

const ClientSchema = Type.Object(
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
          'Hashes of the secrets; none makes the client public, two let one be rotated. How strong a ' +
          'secret is can not be told from its hash: take one of `latchkey clients secret`.',
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
          'Public keys (JWK) of a client that authenticates by a signed assertion (private_key_jwt, ' +
          'RFC 7523).',
      },
    ),
    jwksUri: Type.Optional(
      Type.String({
        pattern: '^https?://[^\\s#]+$',
        expected: 'an https URL',
        description: 'Where those keys are fetched instead.',
      }),
    ),
    jwksUriMayBePrivate: Type.Boolean({
      default: false,
      description: 'Whether jwksUri may lead to a private or loopback address.',
    }),
    grants: Type.Array(
      Type.Union([Type.Literal('password'), Type.Literal('refresh_token')]),
      { default: [], description: 'Grant types that the client may use.' },
    ),
    scopes: Type.Array(ScopeToken, {
      default: [],
      description: 'Scopes that the client may ask for.',
    }),
    audience: Type.Array(Audience, {
      default: [],
      description:
        'Audiences that the client may get tokens for; for a resource server, the audiences that it is.',
    }),
    introspect: Type.Union([Type.Literal('own'), Type.Literal('any')], {
      default: 'own',
      description:
        'Which tokens a confidential client may introspect: those issued to it or meant for one of ' +
        'its audiences, or any.',
    }),
    introspectByToken: Type.Boolean({
      default: false,
      description:
        'Whether a confidential client may introspect with an access token that was issued to it, ' +
        'in place of its secret (RFC 7662 §2.1). Every user of the client holds such a token.',
    }),
    forwardsAddress: Type.Boolean({
      default: false,
      description:
        "Whether a confidential client may name the end user's address in Latchkey-Forwarded-For.",
    }),
    lateRetry: Type.Union([Type.Literal('burn'), Type.Literal('refuse')], {
      default: 'burn',
      description:
        'What a refresh token does that comes again after reuseGrace: burn its unconfirmed ' +
        'successor, or end the family.',
    }),
    dpop: Type.Union([Type.Literal('allowed'), Type.Literal('required')], {
      default: 'allowed',
      description:
        'Whether the client may or must bind its tokens to a key (DPoP, RFC 9449).',
    }),
    accessTtl: optionalDuration('Overrides tokens.accessTtl for this client.'),
    refreshIdle: optionalDuration('Overrides tokens.refreshIdle for this client.'),
    refreshAbsolute: optionalDuration(
      'Overrides tokens.refreshAbsolute for this client.',
    ),
  },
  strict,
)

/** The whole file. */
export const ConfigSchema = Type.Object(
  {
    issuer: Type.String({
      pattern: '^https?://[^\\s?#]+$',
      expected:
        'an https URL without query and fragment (http only on loopback, or with allowHttp)',
      description: 'The `iss` of every token and the base of every published URL.',
    }),
    allowHttp: Type.Boolean({
      default: false,
      description:
        'Starts with an http issuer elsewhere than on loopback, for trying out in a network of containers: ' +
        'passwords and tokens then cross that network in the clear.',
    }),
    http: section('The public listener.', {
      host: Type.String({ default: '0.0.0.0', description: 'Address to listen on.' }),
      port: port(3000, 'Port to listen on; 0 takes a free one.'),
      trustedProxies: Type.Array(
        Type.String({ minLength: 1, expected: 'an address or CIDR' }),
        {
          default: [],
          description:
            'Proxies whose X-Forwarded-For is believed: their own addresses, no range that users share.',
        },
      ),
      proxyHeaders: Type.Optional(
        Type.Union([Type.Literal('original'), Type.Literal('forwarded')], {
          description:
            'Which headers of http.trustedProxies name the request at /verify: X-Original-Method and -URL, ' +
            'or X-Forwarded-Method, -Proto, -Host and -Uri; without it, tokens with DPoP are refused there.',
        }),
      ),
      cors: Type.Array(
        Type.String({
          pattern: '^(\\*|[A-Za-z][A-Za-z0-9+.-]*://\\S+)$',
          expected:
            'an origin such as https://app.example.com or capacitor://localhost, or *',
        }),
        {
          default: [],
          description:
            'Origins whose pages may call the endpoints, as browsers write them: lower case, no default port.',
        },
      ),
      docs: Type.Boolean({
        default: false,
        description:
          'Whether the pages of the API (/docs, /openapi.json) are served and named in the metadata. ' +
          'Development mode serves them.',
      }),
      requestTimeout: duration(
        '10s',
        'How long a client may take to send a request. Who takes no byte of an answer for that long and ' +
          'http.answerTimeout is cut off.',
      ),
      answerTimeout: duration(
        '5s',
        'How long the server may take to answer one; then it is 503.',
      ),
      maxInFlight: Type.Integer({
        minimum: 1,
        maximum: 100_000,
        default: 1000,
        description:
          'How many requests may be worked on at once, fetches of the keys left out; more are ' +
          'answered 503 at once.',
      }),
      maxConnections: Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        default: 5000,
        description: 'How many connections may be open at once; more are refused.',
      }),
      maxConnectionsPerAddress: Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        default: 1000,
        description:
          'How many of these one IPv4 address, or one IPv6 /64, may have; http.trustedProxies are exempt.',
      }),
      drainDelay: optionalDuration(
        'How long a server that is told to stop goes on answering, not ready any more, so that load ' +
          'balancers learn of it; not at all when left out.',
      ),
      closeGrace: duration(
        '10s',
        'How long requests in flight may take to end when the server stops; then they are cut off.',
      ),
    }),
    management: section(
      'The listener for probes and metrics; keep it off the public network.',
      {
        host: Type.String({ default: '0.0.0.0', description: 'Address to listen on.' }),
        port: port(3001, 'Port to listen on; 0 takes a free one.'),
        maxConnections: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 200,
          description: 'How many connections may be open at once; more are refused.',
        }),
        maxConnectionsPerAddress: Type.Integer({
          minimum: 1,
          maximum: 1_000_000,
          default: 50,
          description:
            'How many of these one IPv4 address, or one IPv6 /64, may have; http.trustedProxies are exempt.',
        }),
      },
    ),
    store: Type.Object(
      {
        url: Type.String({
          pattern: '^(sqlite:|rediss?(\\+(sentinel|cluster))?://)[\\s\\S]',
          expected:
            'sqlite:FILE, redis://…, rediss://…, redis+sentinel://… or redis+cluster://…',
          description: 'Where accounts, families, revocations and keys live.',
        }),
        username: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'The ACL user, instead of the one in the URL.',
          }),
        ),
        password: Type.Optional(
          Type.String({
            minLength: 1,
            description:
              'The password, instead of the one in the URL; here nothing needs to be percent-encoded.',
          }),
        ),
        passwordFile: Type.Optional(
          Type.String({
            minLength: 1,
            description:
              'A file that holds the password, instead of store.password. It is read again at every ' +
              'connection, so that the password can change without a restart.',
          }),
        ),
        tls: Type.Optional(
          Type.Object(
            {
              caFile: Type.Optional(
                Type.String({
                  minLength: 1,
                  description:
                    'PEM file of the authorities that may vouch for the server; without it, those ' +
                    'that Node knows.',
                }),
              ),
              certFile: Type.Optional(
                Type.String({
                  minLength: 1,
                  description:
                    'PEM file of the client certificate. Files are read again at every connection.',
                }),
              ),
              keyFile: Type.Optional(
                Type.String({
                  minLength: 1,
                  description: 'PEM file of its private key.',
                }),
              ),
              serverName: Type.Optional(
                Type.String({
                  minLength: 1,
                  description:
                    "The name in the server's certificate, where it isn't the host's.",
                }),
              ),
            },
            { ...strict, description: 'TLS to Redis, with rediss://.' },
          ),
        ),
        replicas: Type.Integer({
          minimum: 0,
          maximum: 16,
          default: 0,
          description:
            'How many Redis replicas must have a login, a revocation or a change of an account ' +
            'before it is answered; fewer: 503.',
        }),
        lossPeriod: duration(
          '1h',
          'How long everything is answered 503, at most, once Redis is found to have lost its data; ' +
            '`latchkey store accept` ends it.',
        ),
        allowEviction: Type.Boolean({
          default: false,
          description:
            'Starts on a Redis that may throw keys away (a maxmemory-policy other than noeviction).',
        }),
        allowNoAuthentication: Type.Boolean({
          default: false,
          description:
            'Starts on a Redis that lets anybody in, elsewhere than on loopback.',
        }),
        sentinel: Type.Optional(
          Type.Object(
            {
              username: Type.Optional(
                Type.String({
                  minLength: 1,
                  description: 'The ACL user at the sentinels.',
                }),
              ),
              password: Type.Optional(
                Type.String({
                  minLength: 1,
                  description: 'The password at the sentinels.',
                }),
              ),
              passwordFile: Type.Optional(
                Type.String({
                  minLength: 1,
                  description:
                    'A file that holds that password, read again at every connection.',
                }),
              ),
            },
            { ...strict, description: 'What the sentinels themselves ask for.' },
          ),
        ),
      },
      { ...strict, description: 'The store.' },
    ),
    secrets: Type.Array(
      Type.String({
        pattern: '^[A-Za-z0-9+/_-]{43,}={0,2}$',
        expected:
          '32 or more random bytes in base64 or base64url (openssl rand -base64 32 makes them)',
      }),
      {
        minItems: 1,
        description:
          'Seal refresh tokens and private keys; the first is used for new ones, all for reading.',
      },
    ),
    tokens: section('Lifetimes and signing.', {
      accessTtl: duration('10m', 'Lifetime of an access token.'),
      refreshIdle: duration(
        '14d',
        'A session ends when it is not refreshed for so long.',
      ),
      refreshAbsolute: duration('90d', 'A session ends so long after its login.'),
      reuseGrace: duration(
        '10s',
        'How long a used refresh token gives its successor again.',
      ),
      algorithm: algorithm({
        default: 'ES256',
        description:
          'What signs the access tokens. A change is a rotation: the key that is made for it signs ' +
          'after keys.publishAhead. Ed25519 is another name of EdDSA, which is what tokens say.',
      }),
    }),
    dpop: section('Proofs of possession (RFC 9449).', {
      proofAge: duration(
        '1m',
        "How far the `iat` of a proof may be from the server's time.",
      ),
      nonce: Type.Boolean({
        default: true,
        description:
          'Whether a proof must carry a nonce of the server, so that none can be made in advance.',
      }),
    }),
    status: section(
      'The status lists, by which verifiers learn of revoked access tokens without asking about ' +
        'each (IETF Token Status List).',
      {
        enabled: Type.Boolean({
          default: true,
          description: 'Whether access tokens name their place in a list.',
        }),
        ttl: duration(
          '10s',
          'How long a verifier may keep a list: so long after it was revoked a token may be taken.',
        ),
      },
    ),
    audiences: Type.Record(
      Audience,
      Type.Object(
        {
          typ: Type.Union([Type.Literal('at+jwt'), Type.Literal('JWT')], {
            default: 'at+jwt',
            description:
              'The header `typ` of access tokens for this audience; JWT for verifiers that refuse at+jwt.',
          }),
          algorithm: Type.Optional(
            algorithm({
              description:
                'What signs the access tokens for this audience, their status lists and the signed ' +
                'introspection answers of its clients, with keys of its own in the same JWKS ' +
                '(`/.well-known/jwks.json?alg=…` has these alone); for verifiers that know nothing ' +
                'else. Begins after keys.publishAhead.',
            }),
          ),
        },
        { ...strict, default: {} },
      ),
      {
        propertyNames: Audience,
        default: {},
        description: 'What single audiences need.',
      },
    ),
    keys: section('The key ring.', {
      rotateEvery: duration('90d', 'How long a key signs.'),
      publishAhead: duration(
        '7d',
        'How long a key is published, at least, before it signs; longer than any verifier keeps its copy.',
      ),
      allowShortPublishAhead: Type.Boolean({
        default: false,
        description:
          'Allows a publishAhead under 48 h, where every verifier is known to fetch more often.',
      }),
      directory: Type.Optional(
        Type.String({
          minLength: 1,
          description:
            'Takes the keys from the PEM and JWK files of this folder, such as a mounted Secret, ' +
            'instead of making them.',
        }),
      ),
      pkcs11: Type.Optional(
        Type.Object(
          {
            module: Type.String({
              minLength: 1,
              description:
                'The PKCS#11 library, such as /usr/lib/softhsm/libsofthsm2.so.',
            }),
            token: Type.String({ minLength: 1, description: 'The label of the token.' }),
            pin: Type.String({ minLength: 1, description: 'The user PIN of the token.' }),
            driver: Type.String({
              minLength: 1,
              default: 'pkcs11js',
              description:
                'The npm package pkcs11js, or the path of its index.js where it is installed apart.',
            }),
          },
          {
            ...strict,
            description:
              'Signs with the keys of a PKCS#11 token, whose private halves never leave it.',
          },
        ),
      ),
    }),
    passwords: section('Password hashing (argon2id) and rules.', {
      memoryKiB: Type.Integer({
        minimum: 8,
        maximum: 4_194_304,
        default: 19_456,
        description: 'Memory of one hash, in KiB.',
      }),
      passes: Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 2,
        description: 'Passes over the memory.',
      }),
      parallelism: Type.Integer({
        minimum: 1,
        maximum: 64,
        default: 1,
        description: 'Lanes of one hash.',
      }),
      concurrency: Type.Union(
        [Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 128 })],
        {
          default: 'auto',
          expected: 'auto or a whole number from 1 to 128',
          description:
            'Hashes at a time; auto: what cores and memory allow, leaving one core to everything else.',
        },
      ),
      memoryShare: Type.Integer({
        minimum: 1,
        maximum: 90,
        default: 50,
        description:
          "How much of the memory that the process may use (the cgroup's limit) hashing may take, " +
          'in percent; 144 MiB are left to everything else in any case.',
      }),
      queue: Type.Integer({
        minimum: 0,
        maximum: 100_000,
        default: 64,
        description: 'Logins that may wait for a hash; more are answered 503.',
      }),
      maxWait: duration(
        '1500ms',
        'How long a login may wait for a hash; who would wait longer is answered 503 at once.',
      ),
      minLength: Type.Integer({
        minimum: 8,
        maximum: 256,
        default: 15,
        description: 'Shortest password that may be set, in characters.',
      }),
      blocklist: Type.Optional(
        Type.String({
          minLength: 1,
          expected: 'a file',
          description:
            'Breached passwords, which nobody may set: a sorted SHA-1 list as published, or a ' +
            'filter made by `latchkey passwords blocklist build`.',
        }),
      ),
    }),
    throttle: section('Rate limits.', {
      perAddress: section(
        'Requests of one address to /token, and unauthenticated to /revoke and /introspect; not refreshes. ' +
          'Access tokens at /userinfo and /verify that are not ours count apart, at each server.',
        {
          max: Type.Integer({
            minimum: 1,
            default: 60,
            description: 'Requests per window.',
          }),
          window: duration('1m', 'The window.'),
        },
      ),
      perClient: section(
        'Requests of one client that authenticated, at each server; they are not counted per address.',
        {
          max: Type.Integer({
            minimum: 1,
            default: 600_000,
            description: 'Requests per window.',
          }),
          window: duration('1m', 'The window.'),
        },
      ),
      perSession: section(
        'Refreshes of one session, at each server; they are not counted per address. Bad proofs of a ' +
          "session (DPoP) at /userinfo and /verify count apart, with their sender's address.",
        {
          max: Type.Integer({
            minimum: 1,
            default: 60,
            description: 'Requests per window.',
          }),
          window: duration('1m', 'The window.'),
        },
      ),
      logins: section(
        'Failed logins. Each number is how many cost no delay; then a second, two, four …',
        {
          perName: Type.Integer({
            minimum: 1,
            maximum: 1_000_000,
            default: 5,
            description:
              'Of one name from one network (/24 or /64; twice as many from a /56, four times from a /48).',
          }),
          perNetwork: Type.Integer({
            minimum: 1,
            maximum: 1_000_000,
            default: 100,
            description:
              'Of one network (as above), whatever the names; those of users who logged in from it before ' +
              'count apart.',
          }),
          perPassword: Type.Integer({
            minimum: 1,
            maximum: 1_000_000,
            default: 20,
            description: 'Of one password, whatever the names.',
          }),
          maxDelay: duration('15m', 'The longest delay.'),
          knownFor: duration(
            '30d',
            'How long a user is known in a network after a login from it.',
          ),
        },
      ),
    }),
    log: section('The log on standard output.', {
      level: Type.Union(
        ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map(level =>
          Type.Literal(level),
        ),
        { default: 'info', description: 'Least level that is written.' },
      ),
      usernames: Type.Boolean({
        default: false,
        description:
          'Whether audit events show the names that were typed, and not a keyed hash of them.',
      }),
    }),
    audit: section('The audit log (docs/audit.md).', {
      to: Type.String({
        minLength: 1,
        default: 'stdout',
        expected: 'stdout, or a file',
        description:
          'stdout: beside the log; else a file of its own, opened anew on SIGHUP.',
      }),
    }),
    clients: Type.Array(ClientSchema, {
      default: [],
      description: 'The applications that may ask for tokens.',
    }),
  },
  { ...strict, title: 'Latchkey configuration' },
)

/** The configuration as it stands in a file, defaults filled in. */
export type ConfigFile = Static<typeof ConfigSchema>

/** The configuration as the server uses it: every duration in milliseconds. */
export type Config = StaticDecode<typeof ConfigSchema>

/** One client of the configuration. */
export type ClientConfig = Config['clients'][number]
