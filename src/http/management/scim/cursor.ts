// Where a list goes on, as its caller carries it (RFC 9865 §2): sealed, so that nobody reads names in it, and
// bound to the list that it comes from. The server remembers nothing.
import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Random } from '../../../base/random.ts'
import { deriveKeys, type DerivedKey } from '../../../base/secrets.ts'
import { scimError } from '../../../scim/errors.ts'

/** What stands before a page: an account by its creation, or a text of an index. */
export type Position = string | readonly [createdAt: number, sub: string]

/** Seals and opens positions. */
export interface Cursors {
  /** `list`: what the list is, its caller and its filter; a cursor is good for the same only. */
  seal(position: Position, list: readonly string[]): string
  /**
   * The position of a cursor.
   *
   * @throws OAuthError invalidCursor
   */
  open(cursor: string, list: readonly string[]): Position
}

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Makes the cursors. `secrets`: as configured; the first seals, all open. */
export function createCursors(secrets: readonly string[], random: Random): Cursors {
  const keys = deriveKeys(secrets, 'scim-cursor')
  const [first] = keys
  if (first === undefined) throw new TypeError('no secret to seal cursors with')
  return {
    seal(position, list) {
      const nonce = random.bytes(NONCE_BYTES)
      const cipher = createCipheriv(ALGORITHM, first.key, nonce).setAAD(boundTo(list))
      const text = cipher.update(JSON.stringify(position))
      return Buffer.concat([nonce, text, cipher.final(), cipher.getAuthTag()]).toString(
        'base64url',
      )
    },
    open(cursor, list) {
      const bytes = Buffer.from(cursor, 'base64url')
      for (const key of keys) {
        const position = opened(bytes, key, list)
        if (position !== undefined) return position
      }
      throw scimError('invalidCursor', 'the cursor is none of this list')
    },
  }
}

function opened(
  bytes: Buffer,
  { key }: DerivedKey,
  list: readonly string[],
): Position | undefined {
  if (bytes.length <= NONCE_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES))
  decipher.setAAD(boundTo(list)).setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
    const position: Position = JSON.parse(
      Buffer.concat([text, decipher.final()]).toString(),
    )
    return position
  } catch {
    return undefined
  }
}

function boundTo(list: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(list))
}
