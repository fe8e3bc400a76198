// Conditional requests (RFC 9110 §13).

/** Whether If-None-Match names the tag: a list, or *, compared weakly (§13.1.2). */
export function names(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false
  return (
    condition.trim() === '*' ||
    condition.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag)
  )
}
