// What is said of a user by the scopes of OpenID Connect (OIDC Core §5.4), in an ID token as at /userinfo.
import { EMAIL_VERIFIED, type Claims, type ClaimValue } from '../oauth/claims.ts'
import { standardScopeOf } from '../oauth/standard-claims.ts'
import type { User } from '../stores/ports/subjects.ts'
import { rolesIn } from './claims.ts'

/** The scope that makes a request one of OpenID Connect (OIDC Core §3.1.2.1). */
export const OPENID = 'openid'

/** The claims by scope, with the names and types of OIDC Core §5.1, and the roles, which need no scope. */
export type UserClaims = {
  readonly [claim: string]: ClaimValue | undefined
  readonly preferred_username?: string
  readonly roles?: readonly string[]
}

/** What the claims are made of. */
export interface UserClaimSource {
  readonly user: Pick<User, 'name' | 'attributes' | 'emailVerified'>
  readonly scope: readonly string[]
  /** The claims that the rules of the token's audiences give: its roles are among them. */
  readonly mapped: { readonly roles?: unknown }
  /** Whether the configuration declares the attribute: what it no longer does is nobody's business. */
  readonly isDeclared: (attribute: string) => boolean
}

/**
 * The claims of a user that a token of this scope gives access to; `sub` is not among them. A claim without a
 * value is left out (OIDC Core §5.3.2).
 */
export function userClaims(source: UserClaimSource): UserClaims {
  const { user, scope, mapped } = source
  const roles = rolesIn(mapped)
  return {
    ...attributeClaims(source),
    ...(scope.includes('profile') && { preferred_username: user.name }),
    ...(roles.length > 0 && { roles }),
  }
}

/** What an ID token or /userinfo may say (OIDC Discovery §3), by the attributes that are declared. */
export function claimsSupported(declared: readonly string[]): readonly string[] {
  const standard = declared.filter(name => standardScopeOf(name) !== undefined)
  return [
    ...['iss', 'sub', 'aud', 'iat', 'exp', 'auth_time', 'sid', 'at_hash'],
    ...['preferred_username', 'roles'],
    ...standard,
    ...(standard.includes('email') ? [EMAIL_VERIFIED] : []),
  ]
}

function attributeClaims({ user, scope, isDeclared }: UserClaimSource): Claims {
  const asked = Object.entries(user.attributes).filter(([name]) => {
    const needed = standardScopeOf(name)
    return needed !== undefined && scope.includes(needed) && isDeclared(name)
  })
  return {
    ...Object.fromEntries(asked),
    ...(asked.some(([name]) => name === 'email') && {
      [EMAIL_VERIFIED]: user.emailVerified,
    }),
  }
}
