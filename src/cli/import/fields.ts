// From a record to an account: which field means what, and how texts stand for lists and flags.
import { isScopeToken } from '../../oauth/scope.ts'
import type { ForeignUser } from '../../users/import.ts'
import { isRole } from '../../users/roles.ts'

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
] as const
export type Field = (typeof FIELDS)[number]

/** Where each field stands in a record; a dot leads into an object. */
export type FieldMap = Partial<Readonly<Record<Field, string>>>

export type Fields = Readonly<Partial<Record<Field, unknown>>>

/** Whether a value is an object with members. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a text names a field. */
export function isField(text: string): text is Field {
  return FIELDS.some(field => field === text)
}

/** The value at a path such as `_id.$oid`; undefined when there is none. */
export function valueAt(record: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce((value: unknown, key) => (isRecord(value) ? value[key] : undefined), record)
}

/** The fields of a record by a map; others are left alone. */
export function mapFields(record: unknown, map: FieldMap): Fields {
  return Object.fromEntries(
    Object.entries(map).map(([field, path]) => [field, valueAt(record, path)]),
  )
}

/** Makes the account; undefined when a field has a value that can't be meant, or when one is missing. */
export function userOf({
  name,
  sub,
  password,
  passwordHash,
  scopes,
  roles = [],
  disabled,
  enabled,
}: Fields): ForeignUser | undefined {
  const [id, flag, list, roleList] = [
    idOf(sub),
    disabledOf(disabled, enabled),
    scopesOf(scopes),
    rolesOf(roles),
  ]
  const secret = secretOf(password, passwordHash)
  if (
    typeof name !== 'string' ||
    id === undefined ||
    flag === undefined ||
    list === undefined ||
    roleList === undefined ||
    secret === undefined
  ) {
    return undefined
  }
  return {
    name,
    ...(id !== '' && { sub: id }),
    scopes: list,
    roles: roleList,
    disabled: flag,
    secret,
  }
}

// Many systems count their users; none leaves a user without id but empty.
function idOf(value: unknown = ''): string | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
  return typeof value === 'string' ? value : undefined
}

function secretOf(
  password: unknown,
  passwordHash: unknown,
): ForeignUser['secret'] | undefined {
  if (typeof passwordHash === 'string' && password === undefined) return { passwordHash }
  return typeof password === 'string' && passwordHash === undefined
    ? { password }
    : undefined
}

function disabledOf(disabled: unknown, enabled: unknown): boolean | undefined {
  if (enabled === undefined) return disabled === undefined ? false : flagOf(disabled)
  const flag = flagOf(enabled)
  return flag === undefined || disabled !== undefined ? undefined : !flag
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

function flagOf(value: unknown): boolean | undefined {
  return FLAGS.get(typeof value === 'string' ? value.toLowerCase() : value)
}

// Nothing said: whatever the client may ask for.
function scopesOf(value: unknown): readonly string[] | null | undefined {
  if (value === undefined || value === null) return null
  const list = listOf(value)
  return list?.every(isScopeToken) === true ? list : undefined
}

function rolesOf(value: unknown): readonly string[] | undefined {
  const list = listOf(value)
  return list?.every(isRole) === true ? list : undefined
}

function listOf(value: unknown): readonly string[] | undefined {
  if (typeof value === 'string') return value.split(/[\s,]+/).filter(word => word !== '')
  return Array.isArray(value) && value.every(word => typeof word === 'string')
    ? value
    : undefined
}
