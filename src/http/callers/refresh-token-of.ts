// The refresh token of a request, decoded once for the rate limit and for the grant.
import type { FastifyRequest } from 'fastify'
import { optional } from '../../grants/grant.ts'
import type { ReadRefreshToken, RefreshTokenCodec } from '../../tokens/refresh-token.ts'
import { formOf } from './request-client.ts'
import { createRequestSlot } from '../request/request-slot.ts'

/** What `refresh_token` says in a request whose body was parsed; undefined: it is missing or not ours. */
export type RefreshTokenOf = (request: FastifyRequest) => ReadRefreshToken | undefined

/** Makes the function that reads a request's refresh token. */
export function createRefreshTokenOf({
  decode,
}: Pick<RefreshTokenCodec, 'decode'>): RefreshTokenOf {
  const known = createRequestSlot<{ readonly token: ReadRefreshToken | undefined }>()
  return request => {
    const read = known.get(request) ?? {
      token: decode(optional(formOf(request), 'refresh_token') ?? ''),
    }
    known.set(request, read)
    return read.token
  }
}
