// What the configuration has access tokens say beside the claims of RFC 9068: never computed.
import { isDeepStrictEqual } from 'node:util'
import type { Claims, ClaimRules, ClaimValue } from '../oauth/claims.ts'

/** What claims are made of. */
export interface ClaimSource {
  /** The account's roles; none for a client. */
  readonly roles: readonly string[]
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
function claimsBy(rules: ClaimRules, { roles, scope }: ClaimSource): Claims {
  const claims: Record<string, ClaimValue> =
    roles.length > 0 && rules['roles'] === undefined ? { roles: [...roles] } : {}
  for (const [name, rule] of Object.entries(rules)) {
    if (rule.scope !== undefined && !scope.includes(rule.scope)) continue
    if (hasValue(rule.value)) claims[name] = rule.value
  }
  return claims
}

// `0`, `false` and the empty text are values; an empty list is none (RFC 7643 §2.5).
function hasValue(value: ClaimValue | undefined): value is ClaimValue {
  return value !== undefined && !(Array.isArray(value) && value.length === 0)
}
