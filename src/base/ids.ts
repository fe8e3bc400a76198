// The derived names of things: how a user and a family are addressed in the store and in claims.
// Both are truncated hashes, so what is stored or shown never gives back what it was derived from.
import { sha256 } from './hmac.ts'

const ID_BYTES = 16

/**
 * The tag under which everything of one user is stored (one hash slot in Redis Cluster).
 *
 * @param sub the user's stable id
 * @returns 22 characters of base64url: SHA-256 of `sub`, cut to 16 bytes
 */
export function userTag(sub: string): string {
  return truncatedHash(sub)
}

/**
 * The public id of a family, a claim of every access token that descends from it.
 *
 * @param familyId the family's 16 secret bytes
 * @returns 22 characters of base64url: SHA-256 of `familyId`, cut to 16 bytes
 */
export function sidOf(familyId: Uint8Array): string {
  return truncatedHash(familyId)
}

function truncatedHash(value: string | Uint8Array): string {
  return sha256(value).toString('base64url', 0, ID_BYTES)
}

/**
 * A UUID of version 8 (RFC 9562 §5.8), made of a hash.
 *
 * @param digest 16 bytes or more; the first 16 count
 */
export function uuidOf(digest: Buffer): string {
  const bytes = Buffer.from(digest.subarray(0, 16))
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
