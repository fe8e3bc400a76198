// What is said of a user by the scopes of OpenID Connect (OIDC Core §5.4), in an ID token as at /userinfo.
import type { User } from '../stores/ports/subjects.ts'

/** The scope that makes a request one of OpenID Connect (OIDC Core §3.1.2.1). */
export const OPENID = 'openid'

/** The claims by scope, with the names and types of OIDC Core §5.1, and the roles, which need no scope. */
export type UserClaims = {
  readonly preferred_username?: string
  readonly roles?: readonly string[]
}

/**
 * The claims of a user that a token of this scope gives access to; `sub` is not among them. A claim without a
 * value is left out (OIDC Core §5.3.2).
 */
export function userClaims(
  { name, roles }: Pick<User, 'name' | 'roles'>,
  scope: readonly string[],
): UserClaims {
  return {
    ...(scope.includes('profile') && { preferred_username: name }),
    ...(roles.length > 0 && { roles }),
  }
}
