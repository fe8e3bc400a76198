// What the configuration says of directories elsewhere: whoever knows users and their passwords beside us.
import { Type } from 'typebox'
import { duration, ScopeToken, section, strict } from '../parts.ts'
import { LDAP_KEYS } from './ldap-directory.ts'

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
      'Its name in the store, in logs and in metrics. Never change this name: ' +
      "the directory's users would become different users.",
  }),
  migrate: Type.Union([Type.Literal('none'), Type.Literal('copy')], {
    default: 'none',
    description:
      '`copy`: a password that the directory has accepted is stored here, too, as ' +
      'a hash. It lets its user in while the directory is away, and after ' +
      '`latchkey users adopt` without the directory.',
  }),
  sub: Type.Union([Type.Literal('own'), Type.Literal('external')], {
    default: 'own',
    description:
      '`sub` of its users: `own`, a UUID derived from directory and id, or ' +
      "`external`, the directory's id itself, if that is printable ASCII " +
      'without blanks and not the id of a client.',
  }),
  scopes: Type.Optional(
    Type.Array(ScopeToken, {
      description:
        'The scopes that its users may have; without it, whatever the client may ask for. Set ' +
        'at the first login.',
    }),
  ),
  timeout: duration('2s', 'How long one question may take; longer counts as no answer.'),
  maxInFlight: Type.Integer({
    minimum: 1,
    maximum: 10_000,
    default: 64,
    description:
      'How many questions may be open at once; further logins are answered with 503.',
  }),
}

const text = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, description }))

/** What those of `type: http` have. */
const HTTP_KEYS = {
  lookupUrl: Type.Optional(
    Type.String({
      pattern: '^https?://[^\\s#]+$',
      expected: 'an https URL (http on loopback only, or with allowHttp)',
      description:
        'http: where `{"id"}` is POSTed. It answers 200 and who it is now, or ' +
        '404 if the user is gone. Without it, users are not looked up between ' +
        'logins.',
    }),
  ),
  secrets: Type.Optional(
    Type.Array(SigningSecret, {
      minItems: 1,
      maxItems: 2,
      description:
        'http: sign the requests (Standard Webhooks: webhook-id, ' +
        'webhook-timestamp, webhook-signature). While you replace a secret, ' +
        'list both; each signs.',
    }),
  ),
  mayBePrivate: Type.Boolean({
    default: false,
    description: 'http: whether the URLs may lead to a private or loopback address.',
  }),
}

/** What those have that keep connections to a server. */
const SERVER_KEYS = {
  password: text(
    "ldap: the password of `bindDn`. sql: the database's, instead of that in `url`; here nothing " +
      'needs to be percent-encoded.',
  ),
  passwordFile: text(
    'ldap, sql: a file that holds it, read again at every connection, so that it ' +
      'can change without a ' +
      'restart.',
  ),
  caFile: text(
    'ldap, sql: PEM file of the certificate authorities that are trusted for the server; ' +
      'without it, those that Node trusts.',
  ),
  plaintext: Type.Boolean({
    default: false,
    description:
      'ldap: allows an `ldap://` server without StartTLS. sql: allows a database ' +
      'without TLS that is not on loopback. Names, passwords and hashes can then ' +
      'be read on the way.',
  }),
  connections: Type.Integer({
    minimum: 1,
    maximum: 100,
    default: 4,
    description:
      'ldap: how many connections each server may keep for searches, and the same number for ' +
      'checking passwords. sql: how many it may keep.',
  }),
}

/** What those of `type: sql` have. */
const SQL_KEYS = {
  query: text(
    'sql: the SELECT that finds who has a name: `$1` as typed, `$2` in small ' +
      'letters. It gives `id`, `name` and `password_hash`, and, if the table has ' +
      'them, `disabled`, `email`, `email_verified`, `roles`, and other columns as ' +
      'attributes.',
  ),
  lookup: text(
    'sql: the SELECT that finds who has the id `$1`, with the same columns ' +
      'except `password_hash`. Attributes without a column stay as they were. ' +
      'Without it, users are not looked up between logins.',
  ),
  pepper: text(
    'sql: what the old system appends to every password before hashing it (Devise).',
  ),
}

const AnyDirectory = Type.Object(
  {
    ...DIRECTORY_KEYS,
    type: Type.Union([Type.Literal('http'), Type.Literal('ldap'), Type.Literal('sql')], {
      description:
        'What kind it is: an HTTP endpoint of yours, an LDAP server, or a table of users.',
    }),
    url: Type.String({
      pattern: '^(https?|ldaps?|postgres(ql)?|mysql|mariadb)://[^\\s#]+$',
      expected:
        'an https URL, or ldaps://HOST, or ldap://HOST for StartTLS, or ' +
        'postgres://USER@HOST/DATABASE, or ' +
        'mysql://USER@HOST/DATABASE',
      description:
        'http: where `{"name", "password"}` is POSTed. It answers 200 and who ' +
        'it is, 401 if the password is wrong, or 404 if there is no such name; ' +
        'any other answer means that the directory could not tell. ldap: the ' +
        'server, `ldaps://`, or `ldap://` with StartTLS. sql: the database, ' +
        '`postgres://` or `mysql://` (MariaDB, too), by TLS.',
    }),
    ...HTTP_KEYS,
    ...SERVER_KEYS,
    ...LDAP_KEYS,
    ...SQL_KEYS,
  },
  { ...strict, default: {} },
)

/** `directories` */
export const DirectoriesSchema = Type.Array(AnyDirectory, {
  default: [],
  maxItems: 16,
  description:
    'External directories, in the order in which they are asked about a name ' +
    'that no account here has. The first directory that knows the name decides.',
})

/** `directory` */
export const DirectorySchema = section('What holds for all directories elsewhere.', {
  grace: duration(
    '1h',
    'For how long sessions can still be refreshed while the directory of their users is away; ' +
      'after that, refreshes are answered with 503 until it is back.',
  ),
  recheck: duration(
    '5m',
    'How often, at most, a user who refreshes is looked up in the directory; a user who is gone ' +
      'or disabled there loses every session.',
  ),
})
