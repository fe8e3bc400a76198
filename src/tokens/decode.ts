// Decoding a JWT without believing it.
import { createDecoder } from 'fast-jwt'
import { MAX_TOKEN_LENGTH } from './access-token.ts'

/** The parts of a JWT that anybody can read. */
export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
}

const decode = createDecoder({ complete: true })

/** Decodes a token without believing it; undefined when it is no JWT. */
export function decodeToken(jwt: string): DecodedToken | undefined {
  if (jwt.length > MAX_TOKEN_LENGTH) return undefined
  try {
    const { header, payload } = decode(jwt)
    return { header, payload }
  } catch {
    return undefined
  }
}
