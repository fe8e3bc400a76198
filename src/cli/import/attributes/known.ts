// What other systems write of a person, and under which names.
import { isRecord, valueAt } from '../fields.ts'

/** An attribute that a system has under a name of its own. */
export interface KnownAttribute {
  /** Its name here: that of OpenID Connect Core §5.1 where it has one. */
  readonly attribute: string
  /** Where it stands; the first path with a value counts. */
  readonly paths: readonly string[]
  /** Makes our value of theirs; undefined: it is taken as it stands. */
  readonly read?: (value: unknown) => unknown
}

/** What a system writes beside name, id, password and what keeps people out. */
export interface KnownFields {
  readonly attributes: readonly KnownAttribute[]
  /** Objects whose members applications, administrators or users have made up. */
  readonly containers: readonly string[]
  /** The system's own bookkeeping: it says nothing of a person, or it is read elsewhere. */
  readonly ignored: readonly string[]
}

/** Where nothing is known beforehand. */
export const NOTHING_WELL_KNOWN: KnownFields = {
  attributes: [],
  containers: [],
  ignored: [],
}

/** `auth_user`. Nothing there says that an address was verified. */
export const DJANGO: KnownFields = {
  attributes: renamed({
    email: 'email',
    given_name: 'first_name',
    family_name: 'last_name',
  }),
  containers: [],
  ignored: ['id', 'last_login', 'date_joined'],
}

/** `auth.users`. What providers said of the user is a part of the metadata that users may edit. */
export const SUPABASE: KnownFields = {
  attributes: [
    ...renamed({ email: 'email' }),
    { attribute: 'phone_number', paths: ['phone'], read: international },
    {
      attribute: 'phone_number_verified',
      paths: ['phone_confirmed_at'],
      read: () => true,
    },
    {
      attribute: 'name',
      paths: ['raw_user_meta_data.full_name', 'raw_user_meta_data.name'],
    },
    {
      attribute: 'picture',
      paths: ['raw_user_meta_data.avatar_url', 'raw_user_meta_data.picture'],
    },
    ...[
      'given_name',
      'family_name',
      'middle_name',
      'nickname',
      'profile',
      'website',
      'gender',
      'birthdate',
      'zoneinfo',
      'locale',
    ].map(attribute => ({ attribute, paths: [`raw_user_meta_data.${attribute}`] })),
  ],
  containers: ['raw_user_meta_data', 'raw_app_meta_data'],
  ignored: [
    'instance_id',
    'aud',
    'role',
    'is_super_admin',
    'is_sso_user',
    'is_anonymous',
    'created_at',
    'updated_at',
    'invited_at',
    'confirmed_at',
    'last_sign_in_at',
    'confirmation_token',
    'confirmation_sent_at',
    'recovery_token',
    'recovery_sent_at',
    'reauthentication_token',
    'reauthentication_sent_at',
    'email_change',
    'email_change_token_new',
    'email_change_token_current',
    'email_change_confirm_status',
    'email_change_sent_at',
    'phone_change',
    'phone_change_token',
    'phone_change_sent_at',
    'raw_app_meta_data.provider',
    'raw_app_meta_data.providers',
    ...[
      'email',
      'email_verified',
      'phone',
      'phone_verified',
      'sub',
      'iss',
      'provider_id',
    ].map(member => `raw_user_meta_data.${member}`),
  ],
}

/** The export of hashes, and what may be joined into it from an export of users. */
export const AUTH0: KnownFields = {
  attributes: renamed({
    email: 'email',
    name: 'name',
    given_name: 'given_name',
    family_name: 'family_name',
    nickname: 'nickname',
    picture: 'picture',
    locale: 'locale',
    phone_number: 'phone_number',
    phone_number_verified: 'phone_verified',
  }),
  containers: ['user_metadata', 'app_metadata'],
  ignored: [
    '_id',
    'alt_id',
    'user_id',
    'tenant',
    'connection',
    'version',
    'identifiers',
    'identities',
    'password_set_date',
    'last_password_reset',
    '_tmp_is_unique',
    'created_at',
    'updated_at',
    'last_login',
    'last_ip',
    'logins_count',
    'multifactor',
  ],
}

/** A realm. The names in `attributes` are those that its own scopes `profile` and `phone` read. */
export const KEYCLOAK: KnownFields = {
  attributes: renamed({
    email: 'email',
    given_name: 'firstName',
    family_name: 'lastName',
    groups: 'groups',
    middle_name: 'attributes.middleName',
    nickname: 'attributes.nickname',
    profile: 'attributes.profile',
    picture: 'attributes.picture',
    website: 'attributes.website',
    gender: 'attributes.gender',
    birthdate: 'attributes.birthdate',
    zoneinfo: 'attributes.zoneinfo',
    locale: 'attributes.locale',
    phone_number: 'attributes.phoneNumber',
    phone_number_verified: 'attributes.phoneNumberVerified',
  }),
  containers: ['attributes'],
  ignored: [
    'createdTimestamp',
    'totp',
    'disableableCredentialTypes',
    'requiredActions',
    'notBefore',
    'access',
    'self',
    'origin',
  ],
}

/** `auth:export`. Custom claims are a JSON text in `customAttributes`. */
export const FIREBASE: KnownFields = {
  attributes: renamed({
    email: 'email',
    name: 'displayName',
    picture: 'photoUrl',
    phone_number: 'phoneNumber',
  }),
  containers: ['customAttributes'],
  ignored: ['createdAt', 'lastSignedInAt', 'lastLoginAt', 'providerUserInfo'],
}

/** Reads the JSON texts in columns of a record; a text that is none stays. */
export function withJson(columns: readonly string[]): (record: unknown) => unknown {
  return record =>
    isRecord(record)
      ? Object.fromEntries(
          Object.entries(record).map(([key, value]) => [
            key,
            columns.includes(key) ? parsed(value) : value,
          ]),
        )
      : record
}

/** Puts an address of `identifiers` where Auth0 mostly writes it, when it doesn't stand there. */
export function withIdentifiers(record: unknown): unknown {
  const identifiers = valueAt(record, 'identifiers')
  if (!isRecord(record) || !Array.isArray(identifiers)) return record
  const address: unknown = identifiers.find(one => valueAt(one, 'type') === 'email')
  if (address === undefined || valueAt(record, 'email') !== undefined) return record
  return {
    ...record,
    email: valueAt(address, 'value'),
    email_verified: valueAt(address, 'verified'),
  }
}

function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

function renamed(names: Readonly<Record<string, string>>): KnownAttribute[] {
  return Object.entries(names).map(([attribute, path]) => ({ attribute, paths: [path] }))
}

// GoTrue keeps numbers in the form of E.164 without the sign.
function international(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^(?=\d)/, '+') : value
}
