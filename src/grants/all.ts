// Every grant that there is.
import type { Grant } from './grant.ts'
import { createPasswordGrant, type PasswordGrantDependencies } from './password.ts'
import { createRefreshGrant, type RefreshGrantDependencies } from './refresh-token.ts'

/** Makes all grants, by their grant_type. */
export function createGrants(
  deps: PasswordGrantDependencies & RefreshGrantDependencies,
): ReadonlyMap<string, Grant> {
  return new Map([
    ['password', createPasswordGrant(deps)],
    ['refresh_token', createRefreshGrant(deps)],
  ])
}
