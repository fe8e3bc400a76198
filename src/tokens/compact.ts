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

/** What is signed in a compact JWS (RFC 7515 §5.2), and its signature. The text is canonical. */
export function signedPartsOf(text: string): {
  readonly data: Buffer
  readonly signature: Buffer
} {
  const end = text.lastIndexOf('.')
  return {
    data: Buffer.from(text.slice(0, end)),
    signature: Buffer.from(text.slice(end + 1), 'base64url'),
  }
}
