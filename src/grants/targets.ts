// What a request asks for, held against what may be given: scope (RFC 6749 §3.3) and audience (RFC 8707).
import { invalidScope, invalidTarget } from '../oauth/errors.ts'
import type { Form } from '../oauth/form.ts'
import { isWithin, parseScope } from '../oauth/scope.ts'

/**
 * The scope tokens that a request names.
 *
 * @returns undefined when it names none
 * @throws OAuthError invalid_scope when the grammar is broken or a token isn't among `allowed`
 */
export function requestedScope(
  params: Form,
  allowed: readonly string[],
): string[] | undefined {
  if (typeof params['scope'] !== 'string') return undefined
  const tokens = parseScope(params['scope'])
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
  params: Form,
  allowed: readonly string[],
): string[] | undefined {
  if (params.resource === undefined) return undefined
  const audience = [...new Set(params.resource)]
  if (!isWithin(audience, allowed)) throw invalidTarget()
  return audience
}

/** `tokens` without those that the limit leaves out; a null limit leaves out none. */
export function limited(
  tokens: readonly string[],
  limit: readonly string[] | null,
): string[] {
  return tokens.filter(token => limit === null || limit.includes(token))
}
