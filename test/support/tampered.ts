/** A token with one bit of its tag or signature changed, and every one of its characters still allowed. */
export function tampered(token: string): string {
  const other = token.at(-4) === 'A' ? 'B' : 'A'
  return `${token.slice(0, -4)}${other}${token.slice(-3)}`
}
