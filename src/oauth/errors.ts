// The errors of RFC 6749 §5.2, RFC 6750 §3.1 and RFC 8707 §2: one class, one factory per code.
// The factories take a reason code for logs and metrics; the caller reads a constant text.
import type { Reason } from '../base/events/reasons.ts'

/** What an error says beside its status and its code. */
export interface OAuthErrorDetails {
  /** Sent: printable ASCII without `"` and `\`. */
  readonly description: string
  /** Why, for logs and metrics; never sent. */
  readonly reason: Reason
  /** Further response headers. */
  readonly headers?: Record<string, string>
  /** What a browser shows instead: paragraphs of HTML. */
  readonly page?: readonly string[]
  /** Whose login is refused, where somebody has the name; never sent. */
  readonly sub?: string | undefined
}

/** A request that is refused. http/request/error-handler.ts alone turns it into a reply. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError'
  /** The `error` member of the answer. */
  readonly code: string
  /** The HTTP status. */
  readonly status: number
  /** Why, for logs and metrics; never sent. */
  readonly reason: Reason
  /** Further response headers. */
  readonly headers: Readonly<Record<string, string>>
  /** What a person who meets it in a browser is shown instead: paragraphs of HTML. */
  readonly page: readonly string[] | undefined
  /** Whose login is refused, where somebody has the name; never sent. */
  readonly sub: string | undefined

  constructor(
    status: number,
    code: string,
    { description, reason, headers = {}, page, sub }: OAuthErrorDetails,
  ) {
    super(description)
    this.status = status
    this.code = code
    this.reason = reason
    this.headers = headers
    this.page = page
    this.sub = sub
  }
}

/**
 * 400: the request is malformed, repeats a parameter or lacks one. `description` is sent: printable ASCII
 * without `"` and `\`.
 */
export function invalidRequest(
  description: string,
  reason: Reason = 'malformed_request',
): OAuthError {
  return new OAuthError(400, 'invalid_request', { description, reason })
}

/**
 * 401: the client is unknown or its secret is wrong (RFC 6749 §5.2). However it tried, the answer names a way
 * that may work: RFC 9110 §15.5.2 requires a challenge, and some clients read no body of a 401 without one.
 */
export function invalidClient(
  reason: Reason,
  description = reason === 'client_missing'
    ? 'client_id is missing'
    : 'client authentication failed',
): OAuthError {
  return new OAuthError(401, 'invalid_client', {
    description,
    reason,
    headers: {
      'www-authenticate': 'Basic realm="latchkey", charset="UTF-8"',
    },
  })
}

/** 400: the client may not use this grant. */
export function unauthorizedClient(reason: Reason = 'grant_not_allowed'): OAuthError {
  return new OAuthError(400, 'unauthorized_client', {
    description: 'the client may not use this grant type',
    reason,
  })
}

/** 400: wrong name or password, dead refresh token. One text for all of them, so that it reveals nothing. */
export function invalidGrant(reason: Reason, sub?: string): OAuthError {
  return new OAuthError(400, 'invalid_grant', {
    description: 'the credentials or the refresh token are invalid, expired or revoked',
    reason,
    sub,
  })
}

/** 400: a scope that is unknown, not allowed, or wider than the one granted. */
export function invalidScope(
  reason: Reason = 'scope_not_allowed',
  sub?: string,
): OAuthError {
  return new OAuthError(400, 'invalid_scope', {
    description:
      'the requested scope is unknown, malformed or exceeds what may be granted',
    reason,
    sub,
  })
}

/** 400: an audience that this client may not ask for (RFC 8707 §2). */
export function invalidTarget(reason: Reason = 'audience_not_allowed'): OAuthError {
  return new OAuthError(400, 'invalid_target', {
    description: 'the requested resource is unknown or not allowed',
    reason,
  })
}

/** 400: no such grant type here. */
export function unsupportedGrantType(): OAuthError {
  return new OAuthError(400, 'unsupported_grant_type', {
    description: 'the grant type is not supported',
    reason: 'grant_unknown',
  })
}

/** For people whom an app has sent here; the link also works below the issuer's path. */
const NO_LOGIN_PAGE = [
  'Nobody can log in on this page. Go back to your app, and log in there.',
  'If you build the app: it asks for an authorization code, and this server has none to give. An app shows ' +
    'a form of its own, and sends name and password to the token endpoint, which ' +
    '<a href=".well-known/openid-configuration">the metadata</a> names.',
]

/**
 * 400: there is nothing to authorize here (RFC 6749 §4.1.2.1). Sent as it is and never by a redirect, since
 * no client has registered where to.
 */
export function unsupportedResponseType(): OAuthError {
  return new OAuthError(400, 'unsupported_response_type', {
    description:
      'this server shows no login page: an app asks the token endpoint for tokens',
    reason: 'http_400',
    page: NO_LOGIN_PAGE,
  })
}

/** 429: too many attempts. */
export function slowDown(
  retryAfterSeconds: number,
  reason: Reason = 'address_limit',
  sub?: string,
): OAuthError {
  return new OAuthError(429, 'slow_down', {
    description: 'too many attempts',
    reason,
    sub,
    headers: {
      'retry-after': String(retryAfterSeconds),
    },
  })
}

/** 503: a fault of ours, never a verdict on the request; the caller may repeat it as it is. */
export function temporarilyUnavailable(
  reason: Reason,
  retryAfterSeconds = 1,
): OAuthError {
  return new OAuthError(503, 'temporarily_unavailable', {
    description: 'the server cannot answer now, try again',
    reason,
    headers: { 'retry-after': String(retryAfterSeconds) },
  })
}

/** 421: development mode was asked for by a name that isn't this machine's (RFC 9110 §15.5.20). */
export function misdirectedRequest(): OAuthError {
  return new OAuthError(421, 'invalid_request', {
    description:
      'development mode answers to the names of this machine only, such as localhost, 127.0.0.1 and [::1]; ' +
      'for any other name, write a configuration file and set LATCHKEY_CONFIG to its path',
    reason: 'host_not_loopback',
  })
}

/**
 * 499: the connection ended before there was an answer. Nobody reads this one; it keeps logs and metrics from
 * counting a caller that left as a fault of ours. The number is the one that nginx logs.
 */
export function clientClosedRequest(): OAuthError {
  return new OAuthError(499, 'invalid_request', {
    description: 'the connection was closed before there was an answer',
    reason: 'client_gone',
  })
}
