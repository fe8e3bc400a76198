// Where people come from: how each system's export holds its users, what its fields mean, and by which of
// them it keeps somebody out.
import {
  AUTH0,
  DJANGO,
  FIREBASE,
  KEYCLOAK,
  NOTHING_WELL_KNOWN,
  SUPABASE,
  withIdentifiers,
  withJson,
  type KnownFields,
} from './attributes/known.ts'
import {
  FIELDS,
  hasPath,
  isRecord,
  malformed,
  RecordRefused,
  valueAt,
  type FieldMap,
  type Fields,
} from './fields.ts'
import type { Format } from './format.ts'
import { keycloakFields } from './keycloak.ts'

/** A system that accounts come from. */
export interface System {
  /** For the help. */
  readonly description: string
  /** How its files hold the records, where neither name nor first bytes tell. */
  readonly format: Format
  /** Whether its hashes can't be read without Firebase's parameters. */
  readonly needsFirebase?: true
  /**
   * What every file of it has; of several one suffices. Without these, who is kept out there would be let in
   * here.
   */
  readonly needs: readonly (readonly string[])[]
  /** What a file may lack, and what that means. */
  readonly expects: readonly { readonly path: string; readonly advice: string }[]
  /** Whether a record may have our own fields and no others. */
  readonly onlyFields?: true
  /** Where the fields stand that need no more than to be read. */
  readonly map: FieldMap
  /** What else it writes of a person. */
  readonly known: KnownFields
  /** Puts a record into the form in which its fields are looked for. */
  readonly prepare?: (record: unknown) => unknown
  /**
   * What more a record says, in the place of what the map does.
   *
   * @throws RecordRefused when it is of nobody who could log in there
   */
  readonly more?: (record: unknown, settings: SystemSettings) => Fields
}

/** What single systems need beside the file. */
export interface SystemSettings {
  /** Firebase's hash parameters, as its console shows them. */
  readonly firebase: FirebaseParameters | undefined
  /** Milliseconds. */
  readonly now: number
  /** Whether a member of our own form beside those of an account is an attribute's. */
  readonly isAttribute: (member: string) => boolean
}

export interface FirebaseParameters {
  readonly signerKey: string
  readonly saltSeparator: string
  readonly rounds: number
  readonly memCost: number
}

/** Our own form. */
export const OURS: System = {
  description: 'our own lines, as `users export` writes them',
  format: 'jsonl',
  needs: [['name'], ['password', 'passwordHash']],
  expects: [],
  onlyFields: true,
  map: {},
  known: { ...NOTHING_WELL_KNOWN, ignored: FIELDS },
  more: onlyKnown,
}

/** The systems by their names. */
export const SYSTEMS: ReadonlyMap<string, System> = new Map<string, System>([
  ['latchkey', OURS],
  [
    'django',
    {
      description: 'rows of auth_user',
      format: 'csv',
      needs: [['username'], ['password'], ['is_active']],
      expects: [],
      map: { name: 'username', passwordHash: 'password', enabled: 'is_active' },
      known: DJANGO,
    },
  ],
  [
    'supabase',
    {
      description: 'rows of auth.users',
      format: 'csv',
      needs: [
        ['email'],
        ['id'],
        ['encrypted_password'],
        ['banned_until'],
        ['deleted_at'],
        ['email_confirmed_at'],
      ],
      expects: [],
      map: { name: 'email', sub: 'id', passwordHash: 'encrypted_password' },
      known: SUPABASE,
      prepare: withJson(SUPABASE.containers),
      more: supabaseFields,
    },
  ],
  [
    'auth0',
    {
      description: 'its password hash export',
      format: 'jsonl',
      needs: [['_id.$oid'], ['email'], ['passwordHash']],
      expects: [
        {
          path: 'blocked',
          advice:
            'no record has the field blocked: the export of password hashes leaves it out, so users who ' +
            'are blocked at Auth0 are let in here; join it in from an export of users',
        },
      ],
      map: {
        name: 'email',
        passwordHash: 'passwordHash',
        disabled: 'blocked',
        emailVerified: 'email_verified',
      },
      known: AUTH0,
      prepare: withIdentifiers,
      more: auth0Fields,
    },
  ],
  [
    'keycloak',
    {
      description: 'an export of realms with users',
      format: 'json',
      needs: [['username'], ['enabled'], ['credentials']],
      expects: [],
      map: {
        name: 'username',
        sub: 'id',
        roles: 'realmRoles',
        enabled: 'enabled',
        passwordHash: 'credentials',
        emailVerified: 'emailVerified',
      },
      known: KEYCLOAK,
      more: keycloakFields,
    },
  ],
  [
    'firebase',
    {
      description: 'auth:export in JSON; needs --firebase-parameters',
      format: 'json',
      needsFirebase: true,
      needs: [['localId'], ['email'], ['passwordHash'], ['salt']],
      expects: [],
      map: {
        name: 'email',
        sub: 'localId',
        disabled: 'disabled',
        passwordHash: 'passwordHash',
        emailVerified: 'emailVerified',
      },
      known: FIREBASE,
      prepare: withJson(FIREBASE.containers),
      more: firebaseFields,
    },
  ],
])

function onlyKnown(record: unknown, { isAttribute }: SystemSettings): Fields {
  if (!isRecord(record)) throw malformed('the record', 'not an object')
  const unknown = Object.keys(record).find(
    key => !FIELDS.some(field => field === key) && !isAttribute(key),
  )
  if (unknown !== undefined) throw malformed(unknown, 'no such field')
  return Object.fromEntries(
    FIELDS.filter(field => hasPath(record, field)).map(field => [
      field,
      valueAt(record, field),
    ]),
  )
}

// GoTrue lets nobody in who is banned, deleted, or hasn't confirmed the address.
function supabaseFields(record: unknown, { now }: SystemSettings): Fields {
  const [deletedAt, bannedUntil, confirmedAt] = [
    'deleted_at',
    'banned_until',
    'email_confirmed_at',
  ].map(column => instantAt(record, column))
  if (deletedAt !== undefined) {
    throw new RecordRefused({ reason: 'user_deleted', field: 'deleted_at' })
  }
  const emailVerified = confirmedAt !== undefined
  if (bannedUntil !== undefined && bannedUntil > now) {
    return { keptOutBy: 'banned_until', emailVerified }
  }
  return emailVerified
    ? { emailVerified }
    : { keptOutBy: 'email_confirmed_at', emailVerified }
}

/** An instant as PostgreSQL writes it, in milliseconds. */
function instantAt(record: unknown, column: string): number | undefined {
  const value = valueAt(record, column)
  if (value === undefined) return undefined
  if (value === 'infinity') return Infinity
  const at = Date.parse(String(value))
  if (Number.isNaN(at)) {
    throw malformed(column, 'not a time such as 2026-11-28 12:00:00+00')
  }
  return at
}

// `sub` as Auth0 itself gave it to clients: `alt_id` is the id of those who came from a database elsewhere.
function auth0Fields(record: unknown): Fields {
  const id = valueAt(record, 'alt_id') ?? valueAt(record, '_id.$oid')
  if (typeof id !== 'string') throw malformed('_id.$oid', 'missing')
  return { sub: `auth0|${id}` }
}

function firebaseFields(record: unknown, { firebase }: SystemSettings): Fields {
  const [hash, salt] = [valueAt(record, 'passwordHash'), valueAt(record, 'salt')]
  if (firebase === undefined || typeof hash !== 'string' || typeof salt !== 'string') {
    return { passwordHash: undefined }
  }
  const { signerKey, saltSeparator, rounds, memCost } = firebase
  return {
    passwordHash:
      `$fbscrypt$v=1,n=${memCost},r=${rounds},p=1,ss=${saltSeparator},sk=${signerKey}` +
      `$${salt}$${hash}`,
  }
}
