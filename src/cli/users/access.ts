// What a user may hold, in words.
import type { Access } from '../../users/accounts.ts'

/** Scopes and roles, for people. */
export function describeAccess({ scopes, roles }: Access): string {
  return (
    `scopes: ${scopes === null ? 'any' : scopes.join(' ') || 'none'}; roles: ` +
    `${roles.join(' ') || 'none'}`
  )
}
