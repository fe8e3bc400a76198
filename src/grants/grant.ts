// What a grant is: given a client that was authenticated and may use it, it turns parameters into tokens.
import type { Origin } from '../base/events/events.ts'
import type { Client } from '../clients/registry.ts'
import { invalidRequest } from '../oauth/errors.ts'
import type { Form } from '../oauth/form.ts'
import type { ReadRefreshToken } from '../tokens/refresh-token.ts'

/** A request to the token endpoint whose client is known and allowed to make it. */
export interface GrantRequest<Parameters = Form> {
  readonly client: Client
  /** The id of the credential that the client proved to have; undefined: it is public. */
  readonly credential: () => string | undefined
  readonly params: Parameters
  /** What the parameter refresh_token says; undefined: it is missing or not ours. */
  readonly refreshToken: ReadRefreshToken | undefined
  /** Thumbprint of the key that the client proved to hold (RFC 9449); undefined: none. */
  readonly jkt: string | undefined
  /** The end user's address, as far as it can be believed. */
  readonly address: string
  /**
   * Makes a signal that is aborted when nobody waits for the answer any more; no getter, as V8 keeps what one
   * of those holds until a slow collection.
   */
  readonly clientGone: () => AbortSignal
  /** The request as audit events name it. */
  readonly origin: Origin
}

/** RFC 6749 §5.1, OIDC Core §3.1.3.3. */
export interface TokenResponse {
  readonly access_token: string
  readonly token_type: 'Bearer' | 'DPoP'
  /** Seconds. */
  readonly expires_in: number
  readonly refresh_token?: string
  /** With the scope openid. */
  readonly id_token?: string
  readonly scope?: string
  /** Ours: the password was right, and its user must set another one. Absent: no. */
  readonly password_change_required?: true
}

/**
 * Runs one grant.
 *
 * @throws OAuthError when the request is refused; StoreUnavailable when the store can't be asked
 */
export type Grant<Parameters = Form> = (
  request: GrantRequest<Parameters>,
) => Promise<TokenResponse>

/**
 * The value of a parameter that must be there.
 *
 * @throws OAuthError invalid_request when it is missing or empty
 */
export function required(params: Form, name: string): string {
  const value = params[name]
  if (typeof value !== 'string') throw invalidRequest(`the parameter ${name} is missing`)
  return value
}

/** The value of a parameter that may be missing. */
export function optional(params: Form, name: string): string | undefined {
  const value = params[name]
  return typeof value === 'string' ? value : undefined
}
