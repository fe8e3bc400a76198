// What the configuration has access tokens say beside the claims of RFC 9068: copied or fixed, never
// computed.
import { isDeepStrictEqual } from 'node:util'
import {
  isListOfTexts,
  LIST_CLAIMS,
  valueBy,
  type ClaimRules,
  type Claims,
  type ClaimValue,
} from '../oauth/claims.ts'
import type { User } from '../stores/ports/subjects.ts'

/** What claims are made of. */
export interface ClaimSource {
  /** Whom the token is about; undefined: a client. */
  readonly user: Pick<User, 'roles' | 'attributes' | 'emailVerified'> | undefined
  /** The scope of the token. */
  readonly scope: readonly string[]
}

/**
 * The claims of a token by the rules of its audiences. A token for several carries what each of them would
 * see in a token of its own, and all alike: none learns what is meant for another.
 */
export function mapClaims(audiences: readonly ClaimRules[], source: ClaimSource): Claims {
  const [first = {}, ...others] = audiences.map(rules => claimsBy(rules, source))
  if (others.length === 0) return first
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) =>
      others.every(claims => isDeepStrictEqual(claims[name], value)),
    ),
  )
}

// The account's roles are the claim of that name until a rule takes its place, which holds without a value,
// too: who has no role here isn't given those of elsewhere.
function claimsBy(rules: ClaimRules, { user, scope }: ClaimSource): Claims {
  const roles = rules['roles'] === undefined ? (user?.roles ?? []) : []
  const claims: Record<string, ClaimValue> = roles.length > 0 ? { roles: [...roles] } : {}
  for (const [name, rule] of Object.entries(rules)) {
    if (rule.scope !== undefined && !scope.includes(rule.scope)) continue
    const value = valueBy(rule, user)
    if (value !== undefined && mayBe(name, value)) claims[name] = value
  }
  return claims
}

// An attribute may have been stored when it was declared to be something else.
function mayBe(name: string, value: ClaimValue): boolean {
  return !LIST_CLAIMS.has(name) || isListOfTexts(value)
}

/** The roles among claims; none where there is no such claim. */
export function rolesIn({ roles }: { readonly roles?: unknown }): readonly string[] {
  return isListOfTexts(roles) ? roles : []
}
