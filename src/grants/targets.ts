// What a request asks for, held against what may be given: scope (RFC 6749 §3.3) and audience (RFC 8707).
import { invalidScope, invalidTarget } from '../oauth/errors.ts'
import { isWithin, parseScope } from '../oauth/scope.ts'

/**
 * The scope tokens that a request names by `scope`.
 *
 * @returns undefined when it names none
 * @throws OAuthError invalid_scope when the grammar is broken or a token isn't among `allowed`
 */
export function requestedScope(
  scope: string | undefined,
  allowed: readonly string[],
): string[] | undefined {
  if (scope === undefined) return undefined
  const tokens = parseScope(scope)
  if (tokens === undefined) throw invalidScope('scope_malformed')
  if (!isWithin(tokens, allowed)) throw invalidScope()
  return tokens
}

/**
 * The audiences that a request names by `resource`.
 *
 * @returns undefined when it names none
 * @throws OAuthError invalid_target when one isn't among `allowed`
 */
export function requestedAudience(
  resource: readonly string[] | undefined,
  allowed: readonly string[],
): string[] | undefined {
  if (resource === undefined) return undefined
  const audience = [...new Set(resource)]
  if (!isWithin(audience, allowed)) throw invalidTarget()
  return audience
}

/** The audiences of a token for which none is named: RFC 9068 §3 wants one, if need be the issuer itself. */
export function defaultAudience(
  audience: readonly string[],
  issuer: string,
): readonly string[] {
  return audience.length > 0 ? audience : [issuer]
}

/** `tokens` without those that the limit leaves out; a null limit leaves out none. */
export function intersect(
  tokens: readonly string[],
  limit: readonly string[] | null,
): string[] {
  return tokens.filter(token => limit === null || limit.includes(token))
}
