// An account in Redis: one hash beside the user's families, with the subject and what the built-in directory
// knows. Only this file names its fields and says how they are written; scripts get their names from here.
// Records of earlier releases stay readable: a field keeps its name and its form.
import type {
  Account,
  ExternalId,
  NewAccount,
  Pending,
  UniqueValue,
} from '../../ports/directory.ts'
import type { Attributes, User } from '../../ports/subjects.ts'
import { listOf, strings } from '../replies.ts'

/** A value as HSET takes it. */
type Written = string | number

/** How one member of an account is stored. */
interface Field<Value> {
  readonly field: string
  readonly write: (value: Value) => Written
  readonly read: (stored: unknown) => Value
}

/** What the hash holds; `tag` is part of its key. */
interface Stored extends Omit<Account, 'tag' | 'pending' | 'external'> {
  /** Null: nothing is pending. */
  readonly pending: Pending | null
  /** Null: it is ours. */
  readonly external: ExternalId | null
  /** What the account has claimed (claims.ts). */
  readonly uniqueValues: readonly UniqueValue[]
}

const FIELDS: { readonly [Member in keyof Stored]: Field<Stored[Member]> } = {
  sub: text('sub'),
  name: text('name'),
  foldedName: text('folded'),
  passwordHash: text('hash'),
  scopes: {
    field: 'scopes',
    // A list is JSON and never empty.
    write: scopes => (scopes === null ? '' : JSON.stringify(scopes)),
    read: stored => (stored === '' ? null : strings(stored)),
  },
  roles: { field: 'roles', write: roles => JSON.stringify(roles), read: strings },
  disabled: { field: 'disabled', write: Number, read: stored => stored === '1' },
  sessionsEpoch: number('epoch'),
  createdAt: number('created'),
  // What accounts of earlier releases lack reads as what it was for them.
  attributes: {
    field: 'attributes',
    write: attributes =>
      Object.keys(attributes).length === 0 ? '' : JSON.stringify(attributes),
    read: attributesIn,
  },
  emailVerified: {
    field: 'emailVerified',
    write: Number,
    read: stored => stored === '1',
  },
  updatedAt: { ...number('updated'), read: stored => Number(stored ?? 0) },
  version: { ...number('version'), read: stored => Number(stored ?? 0) },
  pending: {
    field: 'pending',
    write: pending => (pending === null ? '' : JSON.stringify(pending)),
    read: pendingIn,
  },
  external: {
    field: 'external',
    write: external => (external === null ? '' : JSON.stringify(external)),
    read: externalIn,
  },
  uniqueValues: {
    field: 'unique',
    write: values =>
      values.length === 0
        ? ''
        : JSON.stringify(values.map(({ attribute, value }) => [attribute, value])),
    read: uniqueValuesIn,
  },
}

/** The fields of an account, without what only scripts read. */
export const RECORD_FIELDS: readonly string[] = Object.values(FIELDS).map(
  ({ field }) => field,
)

/** What a script answers of a user, in this order. */
const USER = ['sub', 'name', 'scopes', 'roles', 'attributes', 'emailVerified'] as const

/** The field of the index of a user's sessions: `read_index` of shared.lua. */
const SESSION_INDEX = 'sids'

/** Stands before every script: the fields that scripts read and write by name. */
export const RECORD_LUA = `
local SUB, DISABLED, EPOCH = ${luaNames(['sub', 'disabled', 'sessionsEpoch'])}
local FOLDED, HASH, CREATED = ${luaNames(['foldedName', 'passwordHash', 'createdAt'])}
local UPDATED, VERSION, UNIQUE = ${luaNames(['updatedAt', 'version', 'uniqueValues'])}
-- When the last family of the user will have passed its absolute end.
local LAST_END = 'lastEnd'
local INDEX = '${SESSION_INDEX}'
local USER = { ${luaNames(USER)} }
`

/** Members of an account as HSET takes them: field, value, field, value … */
export function writeFields(members: Partial<Stored>): Written[] {
  return Object.keys(members)
    .filter(isStored)
    .flatMap(member => writeField(member, members[member]))
}

/** A new account as HSET takes it, without the epoch and the instant, which its script adds. */
export function writeAccount({ tag: _, ...account }: NewAccount): Written[] {
  return writeFields(account)
}

/** The account of a hash as HGETALL gives it; undefined when there is none. */
export function readAccount(
  tag: string,
  hash: Readonly<Record<string, string>>,
): Account | undefined {
  const { sub, foldedName, passwordHash, disabled, sessionsEpoch } = FIELDS
  const { createdAt, updatedAt, version } = FIELDS
  const pending = FIELDS.pending.read(hash[FIELDS.pending.field])
  const external = FIELDS.external.read(hash[FIELDS.external.field])
  // A removed account leaves its epoch for a while.
  if (hash[sub.field] === undefined) return undefined
  return {
    ...userFrom(USER.map(member => hash[FIELDS[member].field])),
    ...(pending !== null && { pending }),
    ...(external !== null && { external }),
    tag,
    foldedName: foldedName.read(hash[foldedName.field]),
    passwordHash: passwordHash.read(hash[passwordHash.field]),
    disabled: disabled.read(hash[disabled.field]),
    sessionsEpoch: sessionsEpoch.read(hash[sessionsEpoch.field]),
    createdAt: createdAt.read(hash[createdAt.field]),
    updatedAt: Math.max(
      createdAt.read(hash[createdAt.field]),
      updatedAt.read(hash[updatedAt.field]),
    ),
    version: version.read(hash[version.field]),
  }
}

/** The hash of an account by the values of RECORD_FIELDS, of which no text is one that is missing. */
export function hashFrom(values: readonly unknown[]): Readonly<Record<string, string>> {
  const hash: Record<string, string> = {}
  for (const [place, field] of RECORD_FIELDS.entries()) {
    const value = values[place]
    if (typeof value === 'string') hash[field] = value
  }
  return hash
}

/** The unique values in the hash of an account. */
export function readUniqueValues(
  hash: Readonly<Record<string, string>>,
): readonly UniqueValue[] {
  return uniqueValuesIn(hash[FIELDS.uniqueValues.field])
}

/** The unique values of a field as a script replies it; none where it is missing. */
export function uniqueValuesIn(stored: unknown): readonly UniqueValue[] {
  if (typeof stored !== 'string' || stored === '') return []
  const pairs: readonly (readonly [string, string])[] = JSON.parse(stored)
  return pairs.map(([attribute, value]) => ({ attribute, value }))
}

/** The user that a script answers: `user_reply` of shared.lua. */
export function readUser(reply: unknown): User {
  return userFrom(listOf(JSON.parse(String(reply))))
}

/** An account's hash as a back-up has it: field, value, field, value … */
export function hashOf(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.flatMap((value, index) =>
      index % 2 === 1 ? [[String(pairs[index - 1]), value]] : [],
    ),
  )
}

/**
 * An account's hash as a back-up has it, without the index of sessions: they were read after it, so that it
 * may lack some. A walk finds them again.
 */
export function withoutSessionIndex(pairs: readonly string[]): string[] {
  return pairs.filter((_, index) => pairs[index - (index % 2)] !== SESSION_INDEX)
}

function userFrom(members: readonly unknown[]): User {
  const [sub, name, scopes, roles, attributes, emailVerified] = members
  return {
    sub: FIELDS.sub.read(sub),
    name: FIELDS.name.read(name),
    scopes: FIELDS.scopes.read(scopes),
    roles: FIELDS.roles.read(roles),
    attributes: FIELDS.attributes.read(attributes),
    emailVerified: FIELDS.emailVerified.read(emailVerified),
  }
}

function writeField<Member extends keyof Stored>(
  member: Member,
  value: Stored[Member] | undefined,
): Written[] {
  const { field, write } = FIELDS[member]
  return value === undefined ? [] : [field, write(value)]
}

function isStored(member: string): member is keyof Stored {
  return member in FIELDS
}

// Lua answers `false` for a field that is missing.
function attributesIn(stored: unknown): Attributes {
  if (typeof stored !== 'string' || stored === '') return {}
  const attributes: Attributes = JSON.parse(stored)
  return attributes
}

function pendingIn(stored: unknown): Pending | null {
  if (typeof stored !== 'string' || stored === '') return null
  const pending: Pending = JSON.parse(stored)
  return pending
}

function externalIn(stored: unknown): ExternalId | null {
  if (typeof stored !== 'string' || stored === '') return null
  const external: ExternalId = JSON.parse(stored)
  return external
}

function text(field: string): Field<string> {
  return { field, write: value => value, read: String }
}

function number(field: string): Field<number> {
  return { field, write: value => value, read: Number }
}

function luaNames(members: ReadonlyArray<keyof Stored>): string {
  return members.map(member => `'${FIELDS[member].field}'`).join(', ')
}
