// An account as a SCIM user, and what a SCIM user asks an account to be. No hash is ever read here.
import { isScopeToken } from '../../oauth/scope.ts'
import { scimError } from '../errors.ts'
import { isObject, member, type Resource } from '../schema.ts'
import {
  isExtension,
  PLACES,
  SINGLES,
  TYPE_KEPT,
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
  readonly createdAt: number
  readonly updatedAt: number
  readonly version: number
}

/** What a user is shown with. */
export interface UserView {
  readonly declared: DeclaredAttributes
  /** The attribute that has the caller's `externalId`. */
  readonly externalId: string
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

/** What an account is to be; what isn't named stays. */
export interface UserRequest {
  readonly name: string
  readonly disabled?: boolean
  readonly password?: string
  readonly scopes?: readonly string[] | null
  /** Null removes. */
  readonly attributes: Readonly<Record<string, unknown>>
  readonly emailVerified?: boolean
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
  { declared }: UserView,
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
    placed[place] = [{ value, type: TYPE_KEPT }]
  }
  return placed
}

function extensionOf(
  { attributes, scopes, emailVerified }: ShownAccount,
  { declared }: UserView,
): Record<string, unknown> | undefined {
  const shown = Object.entries(attributes).filter(
    ([name]) => declared.has(name) && isExtension(name),
  )
  const extension = {
    ...(scopes !== null && { scopes }),
    ...(declared.has('email') && attributes['email'] !== undefined && { emailVerified }),
    ...Object.fromEntries(shown),
  }
  return Object.keys(extension).length === 0 ? undefined : extension
}

/** What a whole user, sent or patched, is read with. */
export interface ReadUser extends Pick<UserView, 'declared' | 'externalId'> {
  /** As it was; undefined: it is new. */
  readonly before: Resource | undefined
  /** Whether a value that isn't kept is refused. */
  readonly strict: boolean
}

/**
 * What a whole user asks for. What is no longer there is removed; but one without `active` isn't suspended,
 * one without a password keeps it, and one without our extension keeps what stands there.
 *
 * @throws OAuthError invalidValue
 */
export function userRequest(user: Resource, view: ReadUser): UserRequest {
  const userName = member(user, 'userName')
  if (typeof userName !== 'string') {
    throw scimError('invalidValue', 'userName must be a text')
  }
  const active = flagOf(member(user, 'active'), 'active')
  const password = member(user, 'password')
  if (password !== undefined && typeof password !== 'string') {
    throw scimError('invalidValue', 'password must be a text')
  }
  const extension = extensionIn(user, view)
  return {
    name: userName,
    ...(active !== undefined && { disabled: !active }),
    ...(password !== undefined && { password }),
    ...extension,
    attributes: {
      [view.externalId]: textOrNull(member(user, 'externalId'), 'externalId'),
      ...placedIn(user, view),
      ...extension.attributes,
    },
  }
}

function placedIn(
  user: Resource,
  { declared, strict }: ReadUser,
): Record<string, unknown> {
  const placed = [...PLACES]
    .filter(([name]) => declared.has(name))
    .map(([name, [place, sub]]) => {
      const value = member(user, place)
      return [name, (sub === undefined ? value : member(value, sub)) ?? null]
    })
  const singles = [...SINGLES]
    .filter(([name]) => declared.has(name))
    .map(([name, place]) => [name, singleIn(member(user, place), place, strict)])
  return Object.fromEntries([...placed, ...singles])
}

/** The value that is kept of several: the primary one, else the first of work, else the first. */
function singleIn(values: unknown, place: string, strict: boolean): unknown {
  if (values === undefined) return null
  const isList = Array.isArray(values)
  const items: readonly unknown[] = isList ? values : [values]
  if (!items.every(isObject) || (strict && !isList)) {
    throw scimError('invalidValue', `${place} must be a list of objects`)
  }
  if (strict && items.length > 1) {
    throw scimError('invalidValue', `${place} may have one value here`)
  }
  const kept =
    items.find(item => flagOf(member(item, 'primary'), place) === true) ??
    items.find(item => member(item, 'type') === TYPE_KEPT) ??
    items[0]
  return member(kept, 'value') ?? null
}

function extensionIn(
  user: Resource,
  { declared, before }: ReadUser,
): Pick<UserRequest, 'attributes' | 'scopes' | 'emailVerified'> {
  const given = member(user, USER_EXTENSION)
  if (given === undefined) return { attributes: {} }
  if (!isObject(given)) {
    throw scimError('invalidValue', `${USER_EXTENSION} must be an object`)
  }
  const had = member(member(before, USER_EXTENSION), 'emailVerified')
  const emailVerified = flagOf(member(given, 'emailVerified'), 'emailVerified')
  return {
    scopes: scopesIn(member(given, 'scopes')),
    // What only comes along says nothing: another address may have come with it.
    ...(emailVerified !== undefined && emailVerified !== had && { emailVerified }),
    attributes: Object.fromEntries(
      [...declared.keys()]
        .filter(isExtension)
        .map(name => [name, member(given, name) ?? null]),
    ),
  }
}

function scopesIn(value: unknown): readonly string[] | null {
  if (value === undefined) return null
  const items: readonly unknown[] = Array.isArray(value) ? value : [undefined]
  const scopes = items.filter(item => typeof item === 'string' && isScopeToken(item))
  if (scopes.length === items.length) return scopes.map(String)
  throw scimError('invalidValue', 'scopes must be a list of scopes')
}

/** `"True"` is true to some (Entra ID). */
function flagOf(value: unknown, name: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  const text = String(value).toLowerCase()
  if (typeof value === 'string' && (text === 'true' || text === 'false')) {
    return text === 'true'
  }
  throw scimError('invalidValue', `${name} must be true or false`)
}

function textOrNull(value: unknown, name: string): string | null {
  if (value === undefined) return null
  if (typeof value === 'string') return value
  throw scimError('invalidValue', `${name} must be a text`)
}
