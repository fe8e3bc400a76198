// The compact serialisation of a JWS (RFC 7515 §7.1), read strictly.

const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/**
 * Whether the text is a compact JWS in its one spelling: base64url whose last character carries stray bits is
 * refused.
 */
export function isCanonical(text: string): boolean {
  return (
    COMPACT.test(text) &&
    text
      .split('.')
      .every(part => Buffer.from(part, 'base64url').toString('base64url') === part)
  )
}
