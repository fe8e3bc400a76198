// What a SCIM user asks an account to be.
import { isScopeToken } from '../../oauth/scope.ts'
import { scimError } from '../errors.ts'
import { isObject, member, type Resource } from '../schema.ts'
import type { UserView } from './user-resource.ts'
import {
  isExtension,
  PLACES,
  SINGLES,
  TYPE_UNSAID,
  USER_EXTENSION,
} from './user-schema.ts'

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

/** What a whole user, sent or patched, is read with. */
export interface ReadUser extends Pick<UserView, 'declared' | 'externalId' | 'typeOf'> {
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
  { declared, strict, typeOf }: ReadUser,
): Record<string, unknown> {
  const placed = [...PLACES]
    .filter(([name]) => declared.has(name))
    .map(([name, [place, sub]]) => {
      const value = member(user, place)
      return [name, (sub === undefined ? value : member(value, sub)) ?? null]
    })
  const singles = [...SINGLES]
    .filter(([name]) => declared.has(name))
    .flatMap(([name, place]) => {
      const { value, type } = singleIn(member(user, place), place, strict)
      return [[name, value] as const, [typeOf(name), type] as const]
    })
  return Object.fromEntries([...placed, ...singles])
}

/** What is kept of several values: the primary one, else the first of work, else the first. */
function singleIn(
  values: unknown,
  place: string,
  strict: boolean,
): { readonly value: unknown; readonly type: string | null } {
  if (values === undefined) return NOTHING
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
    items.find(item => member(item, 'type') === TYPE_UNSAID) ??
    items[0]
  const value = member(kept, 'value')
  if (value === undefined) return NOTHING
  const type = textOrNull(member(kept, 'type'), `${place}.type`)
  return { value, type: type === TYPE_UNSAID ? null : type }
}

const NOTHING = { value: null, type: null }

function extensionIn(
  user: Resource,
  { declared, before, strict }: ReadUser,
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
      [...declared]
        .filter(([name]) => isExtension(name))
        .map(([name, { type }]) => {
          const value = member(given, name) ?? null
          return [name, type === 'boolean' && !strict ? flagsOf(value) : value]
        }),
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

function flagOf(value: unknown, name: string): boolean | undefined {
  const flag = asFlag(value)
  if (flag === undefined || typeof flag === 'boolean') return flag
  throw scimError('invalidValue', `${name} must be true or false`)
}

/** A flag or a list of them; what is none stays, and is refused where attributes are checked. */
function flagsOf(value: unknown): unknown {
  return Array.isArray(value) ? value.map(asFlag) : asFlag(value)
}

/** `"True"` is true to some (Entra ID); anything else stays as it is. */
function asFlag(value: unknown): unknown {
  const text = typeof value === 'string' ? value.toLowerCase() : undefined
  return text === 'true' || text === 'false' ? text === 'true' : value
}

function textOrNull(value: unknown, name: string): string | null {
  if (value === undefined) return null
  if (typeof value === 'string') return value
  throw scimError('invalidValue', `${name} must be a text`)
}
