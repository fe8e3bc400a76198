// An account in PostgreSQL: one row of latchkey.accounts. Only this file names its columns and says how they
// are written (database/steps.ts makes the table).
import type { Account, ExternalId, NewAccount, Pending } from '../../ports/directory.ts'
import type { Attributes } from '../../ports/subjects.ts'
import type { Row, Statement } from '../database/connections.ts'

/** An account as its row has it. */
export interface StoredAccount {
  readonly account: Account
  /** Whether the store of the sessions has still to be told of the last change. */
  readonly isUnsettled: boolean
}

/** What may be set of an account; null: there is none. */
export type Changes = Partial<
  Pick<
    Account,
    | 'name'
    | 'foldedName'
    | 'passwordHash'
    | 'scopes'
    | 'roles'
    | 'attributes'
    | 'emailVerified'
    | 'disabled'
    | 'sessionsEpoch'
    | 'createdAt'
    | 'updatedAt'
    | 'version'
  > & {
    readonly pending: Pending | null
    readonly external: ExternalId | null
  }
>

/** Values by their columns. */
type Columns = Record<string, unknown>

/** How each member is written. */
const WRITE: {
  readonly [Member in keyof Required<Changes>]: (
    value: NonNullable<Changes[Member]> | null,
  ) => Columns
} = {
  name: value => ({ name: value }),
  foldedName: value => ({ folded_name: value }),
  passwordHash: value => ({ password_hash: value }),
  scopes: value => ({ scopes: value }),
  roles: value => ({ roles: value }),
  attributes: writeAttributes,
  emailVerified: value => ({ email_verified: value }),
  disabled: value => ({ disabled: value }),
  pending: value => ({ pending: value && JSON.stringify(value) }),
  external: value => ({ external: value && JSON.stringify(value) }),
  sessionsEpoch: value => ({ sessions_epoch: value }),
  createdAt: value => ({ created_at: value }),
  updatedAt: value => ({ updated_at: value }),
  version: value => ({ version: value }),
}

/** jsonb takes no NUL; whoever reads the table sees U+FFFD in its place. */
function writeAttributes(attributes: Attributes | null): Columns {
  const exact = JSON.stringify(attributes)
  const shown = JSON.stringify(attributes, (_, value) =>
    typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value,
  )
  return { attributes: shown, attributes_exact: shown === exact ? null : exact }
}

/** What sessions are judged by, and what their tokens say: the store of the sessions has to be told of it. */
const SUBJECT: ReadonlyArray<keyof Changes> = [
  'name',
  'scopes',
  'roles',
  'attributes',
  'emailVerified',
  'disabled',
]

/** Whether the store of the sessions has to be told of changes. */
export function concernsSessions(changes: Changes): boolean {
  return SUBJECT.some(member => changes[member] !== undefined)
}

/** The statement that sets some members of the account of a tag. */
export function updateOf(
  tag: string,
  changes: Changes & { readonly isUnsettled?: boolean },
): Statement {
  const { isUnsettled, ...members } = changes
  const columns = columnsOf(members)
  if (isUnsettled !== undefined) columns['unsettled'] = isUnsettled
  const set = Object.keys(columns).map((name, index) => `${name} = $${index + 2}`)
  return {
    text: `UPDATE latchkey.accounts SET ${set} WHERE tag = $1`,
    values: [tag, ...Object.values(columns)],
  }
}

/** The statement that adds an account, of which the store of the sessions has still to be told. */
export function insertOf({ tag, sub, ...members }: InsertedAccount): Statement {
  const columns: Columns = { tag, sub, ...columnsOf(members) }
  const names = Object.keys(columns)
  const places = names.map((_, index) => `$${index + 1}`)
  return {
    text: `INSERT INTO latchkey.accounts (${names}) VALUES (${places})`,
    values: Object.values(columns),
  }
}

/** An account as jsonb_populate_recordset takes it, of which the store of the sessions has to be told. */
export function recordOf({ tag, sub, ...members }: Account): Columns {
  const columns = columnsOf({ pending: null, external: null, ...members })
  const shown: unknown = JSON.parse(String(columns['attributes']))
  return { tag, sub, unsettled: true, ...columns, attributes: shown }
}

/** What is added. */
export type InsertedAccount = Omit<NewAccount, 'uniqueValues' | 'logins'> &
  Pick<Account, 'sessionsEpoch' | 'createdAt' | 'updatedAt' | 'version'>

function columnsOf(changes: Changes): Columns {
  const columns: Columns = {}
  for (const member of Object.keys(changes).filter(isMember)) {
    Object.assign(columns, writeOne(member, changes))
  }
  return columns
}

function writeOne<Member extends keyof Changes>(member: Member, changes: Changes) {
  const value = changes[member]
  return value === undefined ? {} : WRITE[member](value)
}

function isMember(member: string): member is keyof Changes {
  return member in WRITE
}

/** Reads a row of latchkey.accounts. */
export function readRow(row: Row): StoredAccount {
  const pending = jsonIn<Pending>(row['pending'])
  const external = jsonIn<ExternalId>(row['external'])
  const account: Account = {
    tag: row['tag'],
    sub: row['sub'],
    name: row['name'],
    foldedName: row['folded_name'],
    passwordHash: row['password_hash'],
    scopes: row['scopes'],
    roles: row['roles'],
    attributes: jsonIn<Attributes>(row['attributes_exact']) ?? row['attributes'],
    emailVerified: row['email_verified'],
    disabled: row['disabled'],
    ...(pending !== undefined && { pending }),
    ...(external !== undefined && { external }),
    sessionsEpoch: Number(row['sessions_epoch']),
    createdAt: Number(row['created_at']),
    updatedAt: Number(row['updated_at']),
    version: Number(row['version']),
  }
  return { account, isUnsettled: row['unsettled'] }
}

function jsonIn<Value>(stored: unknown): Value | undefined {
  if (typeof stored !== 'string') return undefined
  const value: Value = JSON.parse(stored)
  return value
}
