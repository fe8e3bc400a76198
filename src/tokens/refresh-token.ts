// The refresh token's code (docs/architecture.md): fixed bytes under a tag that only we can make, so that a
// forged token never reaches the store.
import { timingSafeEqual } from 'node:crypto'
import { createHmacSha256 } from '../base/hmac.ts'
import { sidOf } from '../base/ids.ts'
import { temporarilyUnavailable } from '../oauth/errors.ts'
import { deriveKeys } from '../base/secrets.ts'

const PREFIX = 'rt_'
const VERSION = 1
const TOKEN = /^rt_[A-Za-z0-9_-]{72}$/

/**
 * Of any version: it begins with its version and the secret's number, and ends with the tag over all before.
 * A later release must keep to that, so that this one knows its tokens from forged ones.
 */
const ANY_VERSION = /^rt_[A-Za-z0-9_-]{24,1000}$/
const TAG_BYTES = 16

/** Offsets in bytes: version, secret number, user tag, family id, generation, tag. */
const AT = {
  secret: 1,
  user: 2,
  family: 18,
  generation: 34,
  tag: 38,
  end: 54,
} as const

/** What a refresh token says. */
export interface RefreshToken {
  /** 22 characters of base64url. */
  readonly userTag: string
  /** The family's 16 secret bytes; its public id is their hash. */
  readonly familyId: Buffer
  readonly generation: number
}

/** What a presented refresh token says, with the public id of its family. */
export interface ReadRefreshToken extends RefreshToken {
  readonly sid: string
}

/** Makes and reads refresh tokens. */
export interface RefreshTokenCodec {
  encode(token: RefreshToken): string
  /**
   * Undefined when the text is no refresh token or its tag is wrong (R0).
   *
   * @throws OAuthError temporarily_unavailable when a newer release has made it: that is no verdict
   */
  decode(text: string): ReadRefreshToken | undefined
  /**
   * The number of the secret that the text says it is sealed under, right tag or not; undefined when the text
   * is no refresh token.
   */
  secretNumberOf(text: string): number | undefined
}

/**
 * Makes the codec of one issuer.
 *
 * @param options.issuer bound into every tag: a token of one issuer is none of another's, even under the same
 * secret
 * @param options.secrets base64 or base64url; the first makes tokens, all read them
 */
export function createRefreshTokenCodec({
  issuer,
  secrets,
}: {
  issuer: string
  secrets: readonly string[]
}): RefreshTokenCodec {
  const context = Buffer.from(`${issuer}\0`)
  const keys = deriveKeys(secrets, 'refresh-token').map(({ number, key }) => {
    const authenticate = createHmacSha256(key, context)
    return {
      number,
      tagOf: (fields: Buffer) => authenticate(fields).subarray(0, TAG_BYTES),
    }
  })
  const [newest] = keys
  if (newest === undefined) throw new TypeError('a refresh token codec needs a secret')

  return {
    encode({ userTag, familyId, generation }) {
      const bytes = Buffer.alloc(AT.end)
      bytes.writeUInt8(VERSION, 0)
      bytes.writeUInt8(newest.number, AT.secret)
      bytes.write(userTag, AT.user, 'base64url')
      familyId.copy(bytes, AT.family)
      bytes.writeUInt32BE(generation, AT.generation)
      newest.tagOf(bytes.subarray(0, AT.tag)).copy(bytes, AT.tag)
      return PREFIX + bytes.toString('base64url')
    },

    decode(text) {
      const bytes = bytesOf(text)
      if (bytes === undefined) return undefined
      const fields = bytes.subarray(0, -TAG_BYTES)
      const tag = bytes.subarray(-TAG_BYTES)
      const candidates = keys.filter(key => key.number === bytes.readUInt8(AT.secret))
      const isOurs = candidates.some(key => timingSafeEqual(key.tagOf(fields), tag))
      if (!isOurs) return undefined
      if (bytes.readUInt8(0) > VERSION) throw temporarilyUnavailable('token_newer')
      return readFields(bytes)
    },

    secretNumberOf: text => bytesOf(text)?.readUInt8(AT.secret),
  }
}

/** Whether the text has the form of a refresh token of ours, right tag or not. */
export function looksLikeRefreshToken(text: string): boolean {
  return text.startsWith(PREFIX)
}

/** The bytes of a token of this version, or of a later one in whatever form. */
function bytesOf(text: string): Buffer | undefined {
  if (!ANY_VERSION.test(text)) return undefined
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url')
  const version = bytes.readUInt8(0)
  const isRead = version > VERSION || (version === VERSION && TOKEN.test(text))
  return isRead ? bytes : undefined
}

function readFields(bytes: Buffer): ReadRefreshToken {
  const familyId = bytes.subarray(AT.family, AT.generation)
  return {
    userTag: bytes.toString('base64url', AT.user, AT.family),
    familyId,
    sid: sidOf(familyId),
    generation: bytes.readUInt32BE(AT.generation),
  }
}
