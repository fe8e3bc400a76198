// Where people come from: how each system's export holds its users, and what its fields mean.
import { toAdaptedBase64 } from '../../users/hashes/adapted-base64.ts'
import { FIELDS, isRecord, mapFields, valueAt, type Fields } from './fields.ts'
import type { FileForm } from './records.ts'

/** A system that accounts come from. */
export interface System {
  /** For the help. */
  readonly description: string
  /** How its files hold the records, unless the file's name says CSV. */
  readonly form: FileForm
  /** Whether its hashes can't be read without Firebase's parameters. */
  readonly needsFirebase?: true
  /** The account's fields; undefined when the record isn't one of this system's. */
  readonly fieldsOf: (record: unknown, settings: SystemSettings) => Fields | undefined
}

/** What single systems need beside the file. */
export interface SystemSettings {
  /** Firebase's hash parameters, as its console shows them. */
  readonly firebase: FirebaseParameters | undefined
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
  form: 'lines',
  fieldsOf: onlyKnown,
}

/** The systems by their names. */
export const SYSTEMS: Readonly<Record<string, System>> = {
  latchkey: OURS,
  django: {
    description: 'rows of auth_user',
    form: 'csv',
    fieldsOf: by({ name: 'username', passwordHash: 'password', enabled: 'is_active' }),
  },
  supabase: {
    description: 'rows of auth.users',
    form: 'csv',
    fieldsOf: by({ name: 'email', sub: 'id', passwordHash: 'encrypted_password' }),
  },
  auth0: { description: 'its password hash export', form: 'lines', fieldsOf: ofAuth0 },
  keycloak: {
    description: 'a realm export with users',
    form: 'document',
    fieldsOf: ofKeycloak,
  },
  firebase: {
    description: 'auth:export in JSON; needs --firebase-parameters',
    form: 'document',
    needsFirebase: true,
    fieldsOf: ofFirebase,
  },
}

function by(map: Parameters<typeof mapFields>[1]): System['fieldsOf'] {
  return record => (isRecord(record) ? mapFields(record, map) : undefined)
}

function onlyKnown(record: unknown): Fields | undefined {
  if (!isRecord(record)) return undefined
  return Object.keys(record).every(key => FIELDS.some(field => field === key))
    ? record
    : undefined
}

// `sub` as Auth0 itself gave it to clients.
function ofAuth0(record: unknown): Fields | undefined {
  const id = valueAt(record, '_id.$oid')
  if (typeof id !== 'string') return undefined
  return {
    ...mapFields(record, { name: 'email', passwordHash: 'passwordHash' }),
    sub: `auth0|${id}`,
  }
}

function ofKeycloak(record: unknown): Fields | undefined {
  const credentials = valueAt(record, 'credentials')
  if (!Array.isArray(credentials)) return undefined
  const password = credentials.find(
    credential => valueAt(credential, 'type') === 'password',
  )
  return {
    ...mapFields(record, {
      name: 'username',
      sub: 'id',
      enabled: 'enabled',
      roles: 'realmRoles',
    }),
    passwordHash: keycloakHash(password),
  }
}

/** Keycloak keeps two JSON texts per password; what they say is put into passlib's and argon2's own forms. */
function keycloakHash(credential: unknown): string {
  const [data, secret] = [
    parseText(valueAt(credential, 'credentialData')),
    parseText(valueAt(credential, 'secretData')),
  ]
  const bytes = (key: string) => Buffer.from(String(valueAt(secret, key)), 'base64')
  const [salt, value] = [bytes('salt'), bytes('value')]
  const [algorithm, iterations] = [
    String(valueAt(data, 'algorithm')),
    String(valueAt(data, 'hashIterations')),
  ]
  if (algorithm === 'argon2') return keycloakArgon2(data, { iterations, salt, value })
  return `$${algorithm}$${iterations}$${toAdaptedBase64(salt)}$${toAdaptedBase64(value)}`
}

function keycloakArgon2(
  data: unknown,
  { iterations, salt, value }: { iterations: string; salt: Buffer; value: Buffer },
): string {
  const [type, version, memory, lanes] = ['type', 'version', 'memory', 'parallelism'].map(
    name => String(firstOf(valueAt(data, `additionalParameters.${name}`))),
  )
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  return `$argon2${type}$v=${version === '1.0' ? 16 : 19}$m=${memory},t=${iterations},p=${lanes}$${text(salt)}$${text(value)}`
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value
}

function parseText(text: unknown): unknown {
  try {
    return JSON.parse(String(text))
  } catch {
    return undefined
  }
}

function ofFirebase(record: unknown, { firebase }: SystemSettings): Fields | undefined {
  const [hash, salt] = [valueAt(record, 'passwordHash'), valueAt(record, 'salt')]
  if (firebase === undefined || typeof hash !== 'string' || typeof salt !== 'string') {
    return undefined
  }
  const { signerKey, saltSeparator, rounds, memCost } = firebase
  const passwordHash = `$fbscrypt$v=1,n=${memCost},r=${rounds},p=1,ss=${saltSeparator},sk=${signerKey}$${salt}$${hash}`
  return {
    ...mapFields(record, { name: 'email', sub: 'localId', disabled: 'disabled' }),
    passwordHash,
  }
}
