// An account in SQLite: one row of `users`, with the subject and what the built-in directory knows. Only this
// file names its columns and says how they are written (database/steps.ts has made the table); the SQL
// about it is made here, too.
import type { SQLInputValue, SQLOutputValue } from 'node:sqlite'
import type { Account, ExternalId, Pending } from '../../ports/directory.ts'
import type { Attributes, Subject, User } from '../../ports/subjects.ts'
import { strings, type Row } from '../database/row.ts'

/** Values by their columns. */
export type Columns = Record<string, SQLInputValue>

/** How one member of an account is stored. */
interface Column<Value> {
  readonly column: string
  readonly write: (value: Value) => SQLInputValue
  readonly read: (stored: SQLOutputValue | undefined) => Value
}

/** What a row holds. */
export interface Stored extends Omit<Account, 'pending' | 'external'> {
  /** Null: nothing is pending. */
  readonly pending: Pending | null
  /** Null: it is ours. */
  readonly external: ExternalId | null
}

const COLUMNS: { readonly [Member in keyof Stored]: Column<Stored[Member]> } = {
  tag: text('tag'),
  sub: text('sub'),
  name: text('name'),
  foldedName: text('folded_name'),
  passwordHash: text('password_hash'),
  scopes: {
    column: 'scopes',
    write: scopes => (scopes === null ? null : JSON.stringify(scopes)),
    read: stored => (stored === null ? null : strings(stored)),
  },
  roles: { column: 'roles', write: roles => JSON.stringify(roles), read: strings },
  disabled: { column: 'disabled', write: Number, read: stored => stored === 1 },
  sessionsEpoch: integer('epoch'),
  createdAt: integer('created_at'),
  attributes: {
    column: 'attributes',
    write: attributes =>
      Object.keys(attributes).length === 0 ? null : JSON.stringify(attributes),
    read: attributesIn,
  },
  emailVerified: {
    column: 'email_verified',
    write: Number,
    read: stored => stored === 1,
  },
  updatedAt: integer('updated_at'),
  version: integer('version'),
  pending: {
    column: 'pending',
    write: pending => (pending === null ? null : JSON.stringify(pending)),
    read: pendingIn,
  },
  external: {
    column: 'external',
    write: external => (external === null ? null : JSON.stringify(external)),
    read: externalIn,
  },
}

const USER = ['sub', 'name', 'scopes', 'roles', 'attributes', 'emailVerified'] as const
const HOLDER = ['disabled', 'sessionsEpoch'] as const
const TAG = COLUMNS.tag.column
const NAME = COLUMNS.foldedName.column
const HASH = COLUMNS.passwordHash.column
const EPOCH = COLUMNS.sessionsEpoch.column
const SUB = COLUMNS.sub.column
const CREATED = COLUMNS.createdAt.column
const UPDATED = COLUMNS.updatedAt.column
const VERSION = COLUMNS.version.column

/** What a row was found by, in `byNames` and `byValues`. */
export const FOUND_TEXT = 'found_text'

/** What decides whether a subject may have sessions. */
export type Holder = Pick<Subject, (typeof HOLDER)[number]>

/** The columns of `readUser` and `readHolder`, where `users` is called `u`. */
export const SUBJECT_COLUMNS = [...USER, ...HOLDER]
  .map(member => `u.${COLUMNS[member].column}`)
  .join(', ')

/** The SQL about accounts that needs no columns beside. */
export const ACCOUNT_SQL = {
  byTag: `SELECT * FROM users WHERE ${TAG} = ?`,
  count: 'SELECT count(*) AS accounts FROM users',
  byName: `SELECT * FROM users WHERE ${NAME} = ?`,
  /** Behind an instant and a `sub`, so many. */
  page:
    `SELECT * FROM users WHERE (${CREATED}, ${SUB}) > (:createdAt, :sub) ` +
    `ORDER BY ${CREATED}, ${SUB} LIMIT :limit`,
  /** From a name on and before another one, so many. */
  byNames:
    `SELECT *, ${NAME} AS ${FOUND_TEXT} FROM users WHERE ${NAME} >= :from AND ${NAME} < :before ` +
    `ORDER BY ${NAME} LIMIT :limit`,
  /** The same for the values of an attribute. */
  byValues:
    `SELECT users.*, value AS ${FOUND_TEXT} FROM unique_values JOIN users ON ${TAG} = user_tag ` +
    'WHERE attribute = :attribute AND value >= :from AND value < :before ORDER BY value LIMIT :limit',
  upgradePassword: `UPDATE users SET ${HASH} = :to WHERE ${TAG} = :tag AND ${HASH} = :from`,
  remove: `DELETE FROM users WHERE ${TAG} = ?`,
} as const

/** Adds an account of all columns, unless its tag, its `sub` or its name is taken. */
export function insertSql(): string {
  const columns = Object.values(COLUMNS).map(({ column }) => column)
  const values = columns.map(column => `:${column}`)
  return `INSERT INTO users (${columns}) VALUES (${values}) ON CONFLICT DO NOTHING`
}

/**
 * Sets some columns of the account of `:tag`, and counts its epoch up by `:epochs`. Where it sets any, the
 * account has changed `:now`.
 */
export function updateSql(columns: readonly string[]): string {
  const set = [
    ...columns.map(column => `${column} = :${column}`),
    ...(columns.length > 0 ? [`${VERSION} = ${VERSION} + 1`, `${UPDATED} = :now`] : []),
    `${EPOCH} = ${EPOCH} + :epochs`,
  ]
  return `UPDATE users SET ${set} WHERE ${TAG} = :tag`
}

/** Members of an account by their columns. */
export function writeColumns(members: Partial<Stored>): Columns {
  const columns: Columns = {}
  for (const member of Object.keys(members).filter(isMember)) {
    writeColumn(columns, member, members[member])
  }
  return columns
}

/** Who it is, of a row that has SUBJECT_COLUMNS. */
export function readUser(row: Row): User {
  const { sub, name, scopes, roles, attributes, emailVerified } = COLUMNS
  return {
    sub: sub.read(row[sub.column]),
    name: name.read(row[name.column]),
    scopes: scopes.read(row[scopes.column]),
    roles: roles.read(row[roles.column]),
    attributes: attributes.read(row[attributes.column]),
    emailVerified: emailVerified.read(row[emailVerified.column]),
  }
}

/** What decides about sessions, of a row that has SUBJECT_COLUMNS. */
export function readHolder(row: Row): Holder {
  const { disabled, sessionsEpoch } = COLUMNS
  return {
    disabled: disabled.read(row[disabled.column]),
    sessionsEpoch: sessionsEpoch.read(row[sessionsEpoch.column]),
  }
}

/** The subject of a row of `users`. */
export function readSubject(row: Row): Subject {
  return { ...readUser(row), ...readHolder(row), tag: COLUMNS.tag.read(row[TAG]) }
}

/** The account of a row of `users`. */
export function readAccount(row: Row): Account {
  const { foldedName, passwordHash, createdAt, updatedAt, version } = COLUMNS
  const created = createdAt.read(row[createdAt.column])
  const pending = COLUMNS.pending.read(row[COLUMNS.pending.column])
  const external = COLUMNS.external.read(row[COLUMNS.external.column])
  return {
    ...readSubject(row),
    ...(pending !== null && { pending }),
    ...(external !== null && { external }),
    foldedName: foldedName.read(row[foldedName.column]),
    passwordHash: passwordHash.read(row[passwordHash.column]),
    createdAt: created,
    // Whoever was added by an earlier release has none.
    updatedAt: Math.max(created, updatedAt.read(row[updatedAt.column])),
    version: version.read(row[version.column]),
  }
}

function writeColumn<Member extends keyof Stored>(
  columns: Columns,
  member: Member,
  value: Stored[Member] | undefined,
): void {
  const { column, write } = COLUMNS[member]
  if (value !== undefined) columns[column] = write(value)
}

function isMember(member: string): member is keyof Stored {
  return member in COLUMNS
}

function attributesIn(stored: SQLOutputValue | undefined): Attributes {
  if (stored === null) return {}
  const attributes: Attributes = JSON.parse(String(stored))
  return attributes
}

function pendingIn(stored: SQLOutputValue | undefined): Pending | null {
  if (typeof stored !== 'string') return null
  const pending: Pending = JSON.parse(stored)
  return pending
}

function externalIn(stored: SQLOutputValue | undefined): ExternalId | null {
  if (typeof stored !== 'string') return null
  const external: ExternalId = JSON.parse(stored)
  return external
}

function text(column: string): Column<string> {
  return { column, write: value => value, read: String }
}

function integer(column: string): Column<number> {
  return { column, write: value => value, read: Number }
}
