// passlib's base64: . for +, no padding.

/** Reads passlib's base64. */
export function fromAdaptedBase64(text: string): Buffer {
  return Buffer.from(text.replaceAll('.', '+'), 'base64')
}

/** Writes passlib's base64. */
export function toAdaptedBase64(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '.').replaceAll('=', '')
}
