// The rules of `attributes`.
import { standardTypeOf } from '../../oauth/standard-claims.ts'
import type { Fault } from '../faults.ts'
import type { Config } from '../schema.ts'
import { fault, repeated } from './shared.ts'

/** What an account has by itself, as its own members, OpenID Connect and SCIM call it. */
const OWN: ReadonlySet<string> = new Set([
  'sub',
  'id',
  'username',
  'userName',
  'preferred_username',
  'password',
  'passwordHash',
  'scopes',
  'scope',
  'roles',
  'disabled',
  'enabled',
  'active',
  'attributes',
  'emailVerified',
  'deletesAt',
  'passwordChangeRequired',
  'email_verified',
  'createdAt',
  'updatedAt',
  'updated_at',
  'version',
])

type Declared = Config['attributes'][string]

/** Checks `attributes`. */
export function checkAttributes({ attributes }: Config): Fault[] {
  const names = Object.keys(attributes)
  return Object.entries(attributes).flatMap(([name, declared]) => [
    ...checkName(name, names),
    ...checkDeclared(name, declared),
  ])
}

/** Checks `login`. */
export function checkLogin({ attributes, login }: Config): Fault[] {
  return [
    ...login.flatMap((by, index) =>
      by === 'name' || (Object.hasOwn(attributes, by) && attributes[by]?.unique === true)
        ? []
        : [fault(['login', index], 'name, or an attribute that is declared unique')],
    ),
    ...repeated(login).map(index =>
      fault(['login', index], 'another one than those before it'),
    ),
  ]
}

function checkName(name: string, names: readonly string[]): Fault[] {
  const at = (expected: string) => [fault(['attributes', name], expected)]
  if (OWN.has(name)) return at('another name: every account has this by itself')
  if (name in Object.prototype) {
    return at('another name: JavaScript keeps this one')
  }
  if (name === 'address') {
    return at(
      'single values in its place, such as street and city: its value is an object',
    )
  }
  const twin = names.find(
    other => other !== name && other.toLowerCase() === name.toLowerCase(),
  )
  return twin === undefined
    ? []
    : at(`a name that differs from ${twin} by more than case`)
}

function checkDeclared(
  name: string,
  { type, maxLength, list, unique }: Declared,
): Fault[] {
  const standard = standardTypeOf(name)
  const is = type ?? standard
  const at = (key: string, expected: string) => fault(['attributes', name, key], expected)
  if (is === undefined) {
    return [at('type', 'string, email, integer, boolean or date-time')]
  }
  return [
    ...(standard !== undefined && is !== standard
      ? [at('type', `${standard}, as OpenID Connect Core §5.1 has it`)]
      : []),
    ...(standard !== undefined && list
      ? [at('list', 'false, as OpenID Connect Core §5.1 has it')]
      : []),
    ...(maxLength !== undefined && is !== 'string'
      ? [at('maxLength', 'no such key: only a string has a length')]
      : []),
    ...(unique && list ? [at('unique', 'false: a list can not be unique')] : []),
    ...(unique && is === 'boolean'
      ? [at('unique', 'false: there are two values for all accounts')]
      : []),
  ]
}
