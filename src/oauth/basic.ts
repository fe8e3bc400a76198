// HTTP Basic as OAuth uses it (RFC 6749 §2.3.1): id and secret are form-encoded before they are joined and
// base64-encoded.
import { invalidRequest } from './errors.ts'
import { decodeFormComponent } from './form.ts'

const BASIC = /^basic +([A-Za-z0-9+/]+={0,2})$/i

/** What the Authorization header claims; a public client's secret is the empty string. */
export interface BasicCredentials {
  readonly clientId: string
  readonly clientSecret: string
}

/**
 * Reads an Authorization header.
 *
 * @returns the credentials, or undefined when the header is absent or names another scheme
 * @throws OAuthError invalid_request when it says Basic and can't be read
 */
export function parseBasic(header: string | undefined): BasicCredentials | undefined {
  if (header === undefined || !/^basic(?: |$)/i.test(header)) return undefined
  const encoded = BASIC.exec(header)?.[1]
  if (encoded === undefined) throw malformed()
  const decoded = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  if (colon < 0) throw malformed()
  // A form that was left empty: saying what is missing helps more than rejecting how it was sent.
  if (colon === 0) throw invalidRequest('client_id is missing', 'client_missing')
  return {
    clientId: decodeFormComponent(decoded.slice(0, colon)),
    clientSecret: decodeFormComponent(decoded.slice(colon + 1)),
  }
}

function malformed() {
  return invalidRequest('the Authorization header is malformed')
}
