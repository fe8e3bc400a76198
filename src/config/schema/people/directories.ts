// What the configuration says of directories elsewhere: whoever knows users and their passwords beside us.
import { Type } from 'typebox'
import { duration, ScopeToken, section, strict } from '../parts.ts'

/** A secret that signs: base64, as Standard Webhooks writes it. */
const SigningSecret = Type.String({
  pattern: '^(?:whsec_)?[A-Za-z0-9+/]{43,}={0,2}$',
  expected: '32 or more random bytes in base64 (openssl rand -base64 32 makes them)',
})

/** What each kind of directory has. */
export const DIRECTORY_KEYS = {
  name: Type.String({
    pattern: '^[a-z][a-z0-9-]{0,31}$',
    expected: 'a small letter, then up to 31 small letters, digits and -',
    description:
      'What it is called in the store, in logs and in metrics. Never change it: its users would be others.',
  }),
  migrate: Type.Union([Type.Literal('none'), Type.Literal('copy')], {
    default: 'none',
    description:
      '`copy`: a password that the directory found right is kept here, too, as a hash; it lets its user in ' +
      'while the directory is away, and after `latchkey users adopt` without it.',
  }),
  sub: Type.Union([Type.Literal('own'), Type.Literal('external')], {
    default: 'own',
    description:
      "`sub` of its users: `own`, a UUID derived from directory and id, or `external`, the directory's id " +
      'itself where it is printable ASCII without blanks.',
  }),
  scopes: Type.Optional(
    Type.Array(ScopeToken, {
      description:
        'The scopes that its users may hold; without it, whatever the client may ask for. Taken at the ' +
        'first login.',
    }),
  ),
  timeout: duration('2s', 'How long one question may take; longer counts as no answer.'),
  maxInFlight: Type.Integer({
    minimum: 1,
    maximum: 10_000,
    default: 64,
    description: 'Questions that may be open at once; more logins are answered 503.',
  }),
}

const HttpDirectory = Type.Object(
  {
    ...DIRECTORY_KEYS,
    type: Type.Literal('http'),
    url: Type.String({
      pattern: '^https?://[^\\s#]+$',
      expected: 'an https URL (http on loopback only, or with allowHttp)',
      description:
        'Where `{"name", "password"}` is POSTed: 200 with who it is, 401 wrong password, 404 no such ' +
        'name; anything else is no verdict.',
    }),
    lookupUrl: Type.Optional(
      Type.String({
        pattern: '^https?://[^\\s#]+$',
        expected: 'an https URL (http on loopback only, or with allowHttp)',
        description:
          'Where `{"id"}` is POSTed: 200 with who it is now, 404 gone. Without it nobody is looked up ' +
          'between logins.',
      }),
    ),
    secrets: Type.Array(SigningSecret, {
      minItems: 1,
      maxItems: 2,
      description:
        'Each signs the requests (Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature); ' +
        'two while one is replaced.',
    }),
    mayBePrivate: Type.Boolean({
      default: false,
      description: 'Whether the URLs may lead to a private or loopback address.',
    }),
  },
  { ...strict, default: {} },
)

/** `directories` */
export const DirectoriesSchema = Type.Array(HttpDirectory, {
  default: [],
  maxItems: 16,
  description:
    'Directories elsewhere, in the order in which they are asked for a name that no account here has; the ' +
    'first that knows it decides.',
})

/** `directory` */
export const DirectorySchema = section('What holds for all directories elsewhere.', {
  grace: duration(
    '1h',
    'How long sessions go on being refreshed while the directory of their users is away; then refreshes ' +
      'are answered 503 until it is back.',
  ),
  recheck: duration(
    '5m',
    'How often a user who refreshes is looked up in the directory at most; who has gone or is disabled ' +
      'there loses every session.',
  ),
})
