// Who has a role is found by an entry of each account for each of its roles, in the index of unique values:
// the role, a blank, which no role has, and the account's `sub`.
import type { UniqueValue } from '../../stores/ports/directory.ts'

/** Where the entries stand; no declared attribute can have such a name. */
export const ROLE_INDEX = '@role'

/** The entries of an account. */
export function roleValues(
  sub: string,
  roles: readonly string[],
): readonly UniqueValue[] {
  return [...new Set(roles)].map(role => ({
    attribute: ROLE_INDEX,
    value: `${rolePrefix(role)}${sub}`,
  }))
}

/** What the entries of all who have the role begin with, and no others. */
export function rolePrefix(role: string): string {
  return `${role} `
}
