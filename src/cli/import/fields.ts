// From a record to an account: which field means what, and how texts stand for lists and flags.
import { isScopeToken } from '../../oauth/scope.ts'
import type { ForeignUser } from '../../users/import/import-accounts.ts'
import type { Refusal } from '../../users/import/outcome.ts'
import { isRole, ROLE_RULE } from '../../users/roles.ts'

/** The fields that an account is made of; `enabled` is `disabled` the other way round. */
export const FIELDS = [
  'name',
  'sub',
  'password',
  'passwordHash',
  'scopes',
  'roles',
  'disabled',
  'enabled',
  'attributes',
  'emailVerified',
] as const
export type Field = (typeof FIELDS)[number]

/** Where each field stands in a record; a dot leads into an object. */
export type FieldMap = Partial<Readonly<Record<Field, string>>>

/** What a record says of an account. */
export interface Fields extends Readonly<Partial<Record<Field, unknown>>> {
  /** The field of the record that keeps the user out, beside `disabled` and `enabled`. */
  readonly keptOutBy?: string
}

/** An account, and which field of its record keeps the user out. */
export interface FoundUser {
  readonly user: ForeignUser
  readonly disabledBy: string | undefined
}

/** A record that makes no account. */
export class RecordRefused extends Error {
  override readonly name = 'RecordRefused'
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.reason)
    this.refusal = refusal
  }
}

/** A field that has an invalid value; `detail` says what was expected, never what stands there. */
export function malformed(field: string, detail: string): RecordRefused {
  return new RecordRefused({ reason: 'line_malformed', field, detail })
}

/** Whether a value is an object with members. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a text names a field. */
export function isField(text: string): text is Field {
  return FIELDS.some(field => field === text)
}

/** Whether a record has a member at a path, whatever its value. */
export function hasPath(record: unknown, path: string): boolean {
  return found(record, path) !== undefined
}

/** The value at a path such as `_id.$oid`; undefined when there is none, or null. */
export function valueAt(record: unknown, path: string): unknown {
  return found(record, path)?.value ?? undefined
}

// The columns of a table may have dots in their names.
function found(record: unknown, path: string): { readonly value: unknown } | undefined {
  if (!isRecord(record)) return undefined
  if (Object.hasOwn(record, path)) return { value: record[path] }
  const dot = path.indexOf('.')
  if (dot === -1 || !Object.hasOwn(record, path.slice(0, dot))) return undefined
  return found(record[path.slice(0, dot)], path.slice(dot + 1))
}

/** The fields of a record by a map; others are left alone. */
export function mapFields(record: unknown, map: FieldMap): Fields {
  return Object.fromEntries(
    Object.entries(map).map(([field, path]) => [field, valueAt(record, path)]),
  )
}

/**
 * Makes the account; `map` says how the file calls the fields.
 *
 * @throws RecordRefused, which names the field, when one has an invalid value or is missing
 */
export function userOf(fields: Fields, map: FieldMap): FoundUser {
  const nameOf = (field: Field) => map[field] ?? field
  const { name, sub, scopes, roles = [] } = fields
  if (name === undefined) throw malformed(nameOf('name'), 'missing')
  if (typeof name !== 'string') throw malformed(nameOf('name'), 'not a text')
  const id = idOf(sub, nameOf('sub'))
  const disabledBy = disabledByOf(fields, nameOf)
  return {
    user: {
      name,
      ...(id !== '' && { sub: id }),
      scopes: scopesOf(scopes, nameOf('scopes')),
      roles: rolesOf(roles, nameOf('roles')),
      disabled: disabledBy !== undefined,
      attributes: attributesOf(fields.attributes, nameOf('attributes')),
      emailVerified: verifiedOf(fields.emailVerified, nameOf('emailVerified')),
      secret: secretOf(fields, nameOf),
      says: saidBy(fields),
    },
    disabledBy,
  }
}

// Their values are checked with the account.
function attributesOf(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (isRecord(value)) return value
  throw malformed(field, 'not an object')
}

function verifiedOf(value: unknown, field: string): boolean | undefined {
  return value === undefined ? undefined : flagOf(value, field)
}

type NameOf = (field: Field) => string

// Many systems count their users; none leaves a user without id but empty.
function idOf(value: unknown, field: string): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
  throw malformed(field, 'neither a text nor a whole number')
}

function secretOf(
  { password, passwordHash }: Fields,
  nameOf: NameOf,
): ForeignUser['secret'] {
  if (password !== undefined && passwordHash !== undefined) {
    throw malformed(nameOf('password'), `stands beside ${nameOf('passwordHash')}`)
  }
  if (password !== undefined) return { password: textOf(password, nameOf('password')) }
  const hash = textOf(passwordHash ?? '', nameOf('passwordHash'))
  // Django marks who may log in by other means only.
  if (hash === '' || hash.startsWith('!')) return { missing: nameOf('passwordHash') }
  return { passwordHash: hash }
}

/** What the record says itself, in the place of a default. */
function saidBy(fields: Fields): NonNullable<ForeignUser['says']> {
  const { scopes, roles, disabled, keptOutBy } = fields
  const saysDisabled =
    disabled !== undefined || Object.hasOwn(fields, 'enabled') || keptOutBy !== undefined
  return new Set([
    ...(scopes === undefined ? [] : (['scopes'] as const)),
    ...(roles === undefined ? [] : (['roles'] as const)),
    ...(saysDisabled ? (['disabled'] as const) : []),
  ])
}

function textOf(value: unknown, field: string): string {
  if (typeof value !== 'string') throw malformed(field, 'not a text')
  return value
}

/** The field that keeps the user out; undefined: none does. */
function disabledByOf(fields: Fields, nameOf: NameOf): string | undefined {
  const { keptOutBy, disabled } = fields
  const flags: string[] = []
  if (disabled !== undefined && flagOf(disabled, nameOf('disabled'))) {
    flags.push(nameOf('disabled'))
  }
  // Nothing where a flag should stand lets nobody in by chance.
  if (Object.hasOwn(fields, 'enabled')) {
    if (disabled !== undefined) {
      throw malformed(nameOf('enabled'), `stands beside ${nameOf('disabled')}`)
    }
    if (!flagOf(fields.enabled, nameOf('enabled'))) flags.push(nameOf('enabled'))
  }
  return flags[0] ?? keptOutBy
}

// As databases write them: Django's True, PostgreSQL's t, MySQL's 1.
const FLAGS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [true, true],
  ['true', true],
  ['t', true],
  ['1', true],
  [1, true],
  ['yes', true],
  [false, false],
  ['false', false],
  ['f', false],
  ['0', false],
  [0, false],
  ['no', false],
])

/** A flag, however a database writes it; undefined: it is none. */
export function readFlag(value: unknown): boolean | undefined {
  return FLAGS.get(typeof value === 'string' ? value.toLowerCase() : value)
}

function flagOf(value: unknown, field: string): boolean {
  const flag = readFlag(value)
  if (flag !== undefined) return flag
  throw malformed(
    field,
    value === undefined
      ? 'missing, and it says who may log in'
      : 'neither true nor false (true, t, 1, yes; false, f, 0, no)',
  )
}

// Nothing said: whatever the client may ask for.
function scopesOf(value: unknown, field: string): readonly string[] | null {
  if (value === undefined || value === null) return null
  const list = listOf(value, field)
  if (list.every(isScopeToken)) return list
  throw malformed(field, 'a scope is printable ASCII without blanks, " and \\')
}

function rolesOf(value: unknown, field: string): readonly string[] {
  const list = listOf(value, field)
  const wrong = list.findIndex(role => !isRole(role))
  if (wrong === -1) return list
  throw malformed(field, `number ${wrong + 1} is no role: a role is ${ROLE_RULE}`)
}

function listOf(value: unknown, field: string): readonly string[] {
  if (typeof value === 'string') return value.split(/[\s,]+/).filter(word => word !== '')
  if (Array.isArray(value) && value.every(word => typeof word === 'string')) return value
  throw malformed(field, 'not a list of texts')
}
