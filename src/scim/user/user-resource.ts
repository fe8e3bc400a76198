// An account as a SCIM user. No hash is ever read here.
import type { Resource } from '../schema.ts'
import {
  isExtension,
  PLACES,
  SINGLES,
  TYPE_UNSAID,
  USER,
  USER_EXTENSION,
  type DeclaredAttributes,
} from './user-schema.ts'

/** What of an account is shown. */
export interface ShownAccount {
  readonly sub: string
  readonly name: string
  readonly disabled: boolean
  readonly scopes: readonly string[] | null
  readonly roles: readonly string[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly emailVerified: boolean
  /** What it waits for; absent: nothing. */
  readonly pending?: { readonly deleteAt?: number }
  /** Whether its password must be changed; absent: no. */
  readonly passwordChangeRequired?: boolean
  readonly createdAt: number
  readonly updatedAt: number
  readonly version: number
}

/** What a user is shown with. */
export interface UserView {
  readonly declared: DeclaredAttributes
  /** The attribute that has the caller's `externalId`. */
  readonly externalId: string
  /** The attribute that has the `type` of that attribute's value. */
  readonly typeOf: (attribute: string) => string
  /** Where SCIM is, as callers know it. */
  readonly base: string
  /** All groups. */
  readonly groups: readonly ShownGroup[]
}

/** A group that a user may belong to. */
export interface ShownGroup {
  readonly id: string
  readonly role: string
  readonly displayName: string
}

/** The weak ETag of one state of an account (RFC 7644 §3.14). */
export function versionOf({ createdAt, version }: ShownAccount): string {
  return `W/"${createdAt.toString(36)}.${version}"`
}

/** The account as a user. */
export function userResource(account: ShownAccount, view: UserView): Resource {
  const { attributes, name, sub } = account
  const extension = extensionOf(account, view)
  const externalId = attributes[view.externalId]
  return {
    schemas: [USER, ...(extension === undefined ? [] : [USER_EXTENSION])],
    id: sub,
    ...(externalId !== undefined && { externalId }),
    userName: name,
    ...placedOf(account, view),
    active: !account.disabled,
    ...groupsOf(account, view),
    ...(extension !== undefined && { [USER_EXTENSION]: extension }),
    meta: {
      resourceType: 'User',
      created: new Date(account.createdAt).toISOString(),
      lastModified: new Date(account.updatedAt).toISOString(),
      location: `${view.base}/Users/${encodeURIComponent(sub)}`,
      version: versionOf(account),
    },
  }
}

function groupsOf({ roles }: ShownAccount, { groups, base }: UserView): Resource {
  const own = groups.filter(({ role }) => roles.includes(role))
  if (own.length === 0) return {}
  return {
    groups: own.map(({ id, displayName }) => ({
      value: id,
      $ref: `${base}/Groups/${id}`,
      display: displayName,
      type: 'direct',
    })),
  }
}

function placedOf(
  { attributes }: ShownAccount,
  { declared, typeOf }: UserView,
): Record<string, unknown> {
  const placed: Record<string, unknown> = {}
  const parts: Record<string, unknown> = {}
  for (const [name, [place, sub]] of PLACES) {
    const value = attributes[name]
    if (!declared.has(name) || value === undefined) continue
    if (sub === undefined) placed[place] = value
    else parts[sub] = value
  }
  if (Object.keys(parts).length > 0) placed['name'] = parts
  for (const [name, place] of SINGLES) {
    const value = attributes[name]
    if (!declared.has(name) || value === undefined) continue
    placed[place] = [{ value, type: attributes[typeOf(name)] ?? TYPE_UNSAID }]
  }
  return placed
}

function extensionOf(
  account: ShownAccount,
  { declared }: UserView,
): Record<string, unknown> | undefined {
  const { attributes, scopes, emailVerified, pending, passwordChangeRequired } = account
  const shown = Object.entries(attributes).filter(
    ([name]) => declared.has(name) && isExtension(name),
  )
  const extension = {
    ...(scopes !== null && { scopes }),
    ...(declared.has('email') && attributes['email'] !== undefined && { emailVerified }),
    ...(pending?.deleteAt !== undefined && {
      deletesAt: new Date(pending.deleteAt).toISOString(),
    }),
    ...(passwordChangeRequired === true && { passwordChangeRequired }),
    ...Object.fromEntries(shown),
  }
  return Object.keys(extension).length === 0 ? undefined : extension
}
