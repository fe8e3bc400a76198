// Reads a row of somebody else's table. Columns have fixed names: `id`, `name` and `password_hash`, and where
// the statement has them `disabled`, `email`, `email_verified` and `roles`; any other is an attribute.
import type { Identity } from '../external.ts'
import { readIdentity } from '../identity.ts'
import type { Row } from './source.ts'

/** What a row says. */
export interface Read {
  readonly identity: Identity
  /** Undefined: nobody has this password. */
  readonly passwordHash: string | undefined
}

/** A row that can't be understood: the column, and what is expected there. */
export interface RowFault {
  readonly fault: string
}

const FLAGS = new Map<unknown, boolean>([
  [true, true],
  [1, true],
  ['1', true],
  ['t', true],
  ['true', true],
  [false, false],
  [0, false],
  ['0', false],
  ['f', false],
  ['false', false],
  // What SQL makes of a comparison with nothing: `banned_until > now()`.
  [null, false],
  [undefined, false],
])

/** How systems write that nobody has the password: Django an exclamation mark and some letters. */
const UNUSABLE = /^(?:[!*].*)?$/s

const OWN = [
  'id',
  'name',
  'password_hash',
  'disabled',
  'email',
  'email_verified',
  'roles',
]

/**
 * What is wrong with the columns; undefined: nothing. Of two with one name a row has the value of one alone,
 * which may be that of another table.
 */
export function wrongColumns(
  columns: readonly string[],
  wanted: readonly string[],
): string | undefined {
  const missing = wanted.find(name => !columns.includes(name))
  if (missing !== undefined) return `no column ${missing}: write … AS ${missing}`
  const twice = OWN.find(name => columns.indexOf(name) !== columns.lastIndexOf(name))
  return twice && `two columns called ${twice}: name those that are wanted, in place of *`
}

/** Reads a row. */
export function readRow(row: Row): Read | RowFault {
  const flags = {
    disabled: flagOf(row['disabled']),
    email_verified: flagOf(row['email_verified']),
  }
  const odd = Object.entries(flags).find(([, value]) => value === undefined)
  if (odd !== undefined) {
    return { fault: `the column ${odd[0]} is neither true nor false` }
  }
  const roles = rolesOf(row['roles'])
  if (roles === undefined) return { fault: 'the column roles is no list of texts' }
  const hash = textOf(row['password_hash'])
  if (hash !== null && typeof hash !== 'string' && hash !== undefined) {
    return { fault: 'the column password_hash is no text' }
  }
  const others = Object.entries(row)
    .filter(([name]) => !OWN.includes(name))
    .map(([name, value]): [string, unknown] => [name, valueOf(value)])
    .filter(([, value]) => value !== null)
  const identity = readIdentity({
    id: textOf(row['id']),
    name: textOf(row['name']),
    email: textOf(row['email'] ?? null),
    disabled: flags.disabled,
    // Without the column the table doesn't say.
    ...(row['email_verified'] !== undefined && flags),
    ...(row['roles'] !== undefined && { roles }),
    attributes: Object.fromEntries(others),
  })
  if (identity === undefined) {
    return {
      fault:
        'the columns id and name are texts of 1 to 255 and 1 to 1,024 characters (or id a whole number), ' +
        'and email is a text',
    }
  }
  const isUsable = typeof hash === 'string' && !UNUSABLE.test(hash)
  return { identity, passwordHash: isUsable ? hash : undefined }
}

/** True and false as databases write them; a bit comes as a byte. */
function flagOf(value: unknown): boolean | undefined {
  return FLAGS.get(Buffer.isBuffer(value) && value.length === 1 ? value[0] : value)
}

/** A list of the database's, JSON, or texts between commas. */
function rolesOf(value: unknown): unknown[] | undefined {
  if (value === null || value === undefined) return []
  if (Array.isArray(value)) return isTexts(value) ? value : undefined
  const text = textOf(value)
  if (typeof text !== 'string') return undefined
  if (text.startsWith('[')) return listIn(text)
  return text
    .split(',')
    .map(role => role.trim())
    .filter(role => role !== '')
}

function listIn(text: string): unknown[] | undefined {
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) && isTexts(list) ? list : undefined
  } catch {
    return undefined
  }
}

function isTexts(list: readonly unknown[]): boolean {
  return list.every(each => typeof each === 'string')
}

/** Text that came as bytes: BINARY and BLOB, bytea. */
function textOf(value: unknown): unknown {
  if (!Buffer.isBuffer(value)) return value
  const text = value.toString('utf8')
  return Buffer.from(text).equals(value) && !text.includes('\0') ? text : value
}

/** A value as attributes have it; null for a date that there is not, such as 0000-00-00. */
function valueOf(value: unknown): unknown {
  if (!(value instanceof Date)) return textOf(value)
  return Number.isNaN(value.getTime()) ? null : value.toISOString()
}
