// Reading a refresh token where not every server may have the same secrets yet: one that another server can
// read, and this one can't, is no forgery.
import { temporarilyUnavailable } from '../oauth/errors.ts'
import type { ReadRefreshToken, RefreshTokenCodec } from './refresh-token.ts'

/**
 * Reads a refresh token; undefined when it is none of ours.
 *
 * @throws OAuthError temporarily_unavailable when it may be sealed under a secret that another running server
 * has and this one has not; StoreUnavailable when nobody can say
 */
export type ReadsRefreshToken = (text: string) => Promise<ReadRefreshToken | undefined>

/**
 * Makes the reader.
 *
 * @param isElsewhere whether another server has a secret of that number, which this one has not; isn't asked
 * about a token that this server can read
 */
export function createReadsRefreshToken(
  codec: Pick<RefreshTokenCodec, 'decode' | 'secretNumberOf'>,
  isElsewhere: (secretNumber: number) => Promise<boolean>,
): ReadsRefreshToken {
  return async function readRefreshToken(text) {
    const token = codec.decode(text)
    if (token !== undefined) return token
    const secretNumber = codec.secretNumberOf(text)
    if (secretNumber !== undefined && (await isElsewhere(secretNumber))) {
      throw temporarilyUnavailable('secret_elsewhere')
    }
    return undefined
  }
}
