// Scope strings (RFC 6749 §3.3): space-separated tokens whose order doesn't matter.

const SCOPE_TOKEN = /^[\x21\x23-\x5B\x5D-\x7E]+$/

/** Whether `token` may stand in a scope string: printable ASCII but space, `"` and `\`. */
export function isScopeToken(token: string): boolean {
  return SCOPE_TOKEN.test(token)
}

/**
 * Splits a scope string, each token once, in the order given.
 *
 * @returns the tokens, or undefined when the string breaks the grammar of RFC 6749 §3.3
 */
export function parseScope(scope: string): string[] | undefined {
  const tokens = [...new Set(scope.split(' '))]
  return tokens.every(isScopeToken) ? tokens : undefined
}

/** Writes tokens as a scope string; no tokens: the empty string. */
export function formatScope(tokens: readonly string[]): string {
  return tokens.join(' ')
}

/** Reads a scope string of our own making, which may be empty. */
export function scopeTokens(scope: string): string[] {
  return scope === '' ? [] : scope.split(' ')
}

/** Whether every one of `wanted` is among `allowed`. */
export function isWithin(wanted: readonly string[], allowed: readonly string[]): boolean {
  return wanted.every(token => allowed.includes(token))
}
