// --scopes, --any-scope and --roles: what a user may hold, as the command line says it.
import { InvalidArgumentError, type Command } from 'commander'
import { isScopeToken } from '../../oauth/scope.ts'
import type { Access } from '../../users/accounts.ts'
import { isRole, ROLE_RULE } from '../../users/roles.ts'

/** The options that say what a user may hold; undefined: not said. */
export interface AccessOptions {
  readonly scopes?: string[]
  readonly anyScope?: true
  readonly roles?: string[]
}

/** Adds the options to a command. */
export function withAccess(command: Command): Command {
  return command
    .option(
      '--scopes <list>',
      'scopes that the user may hold, separated by blanks or commas; "" for none',
      parseScopes,
    )
    .option('--any-scope', 'whatever the client may ask for')
    .option(
      '--roles <list>',
      'roles, separated by blanks or commas; "" for none',
      parseRoles,
    )
}

function parseList(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter(word => word !== ''))]
}

function parseScopes(text: string): string[] {
  const scopes = parseList(text)
  if (!scopes.every(isScopeToken)) {
    throw new InvalidArgumentError('A scope is printable ASCII without " and \\.')
  }
  return scopes
}

function parseRoles(text: string): string[] {
  const roles = parseList(text)
  if (!roles.every(isRole)) throw new InvalidArgumentError(`A role is ${ROLE_RULE}.`)
  return roles
}

/** What the options say; `before` where they say nothing. */
export function accessOf(
  { scopes, anyScope, roles }: AccessOptions,
  before: Access,
): Access {
  return {
    scopes: anyScope ? null : (scopes ?? before.scopes),
    roles: roles ?? before.roles,
  }
}
