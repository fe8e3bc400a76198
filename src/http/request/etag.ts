// Conditional requests (RFC 9110 §13).

/** Whether If-None-Match matches the tag: a list or `*`, compared weakly (RFC 9110 §13.1.2). */
export function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  return (
    ifNoneMatch.trim() === '*' ||
    ifNoneMatch.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag)
  )
}
