// What a request is refused with: a verdict on its token with a challenge (RFC 6750 §3, RFC 9449 §7.1), or a
// fault, which says nothing about the token and has none.

/** Answers of a resource server that refuses; the names of RFC 6750 §3.1 and RFC 9449 §7.1. */
export type RefusalCode =
  | 'unauthorized'
  | 'invalid_token'
  | 'invalid_dpop_proof'
  | 'insufficient_scope'
  | 'temporarily_unavailable'

/**
 * A refusal. `statusCode` and `headers` are what Fastify's and Express' own error handlers look at; `error`
 * is fit for the answer's body, `cause` for the log alone.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly statusCode: 401 | 403 | 503
  readonly error: RefusalCode
  readonly headers: Readonly<Record<string, string>>

  constructor(
    statusCode: Refusal['statusCode'],
    error: RefusalCode,
    headers: Readonly<Record<string, string>>,
    cause?: unknown,
  ) {
    super(error, { cause })
    this.statusCode = statusCode
    this.error = error
    this.headers = headers
  }

  /** The same as statusCode, under the name that Express looks for first. */
  get status(): number {
    return this.statusCode
  }
}

/** How a token was presented, and what the challenge has to tell. */
export interface Scheme {
  /** By which scheme the caller is asked for a token. */
  readonly name: 'Bearer' | 'DPoP'
  /** The algorithms that a proof may be signed with; goes into challenges of DPoP (RFC 9449 §7.1). */
  readonly algorithms: readonly string[]
}

const DESCRIPTIONS = {
  invalid_token: 'The access token is not valid here',
  invalid_dpop_proof: 'The proof is not valid for this request',
} as const

/** No token was presented: 401 without an error code (RFC 6750 §3.1). */
export function noToken(schemes: readonly Scheme[], scopes: readonly string[]): Refusal {
  const attributes = scopes.length > 0 ? { scope: scopes.join(' ') } : {}
  const challenge = schemes.map(scheme => challengeOf(scheme, attributes)).join(', ')
  return new Refusal(401, 'unauthorized', { 'www-authenticate': challenge })
}

/** The token, or its proof, isn't good here: 401. */
export function notValid(
  scheme: Scheme,
  error: keyof typeof DESCRIPTIONS,
  cause?: unknown,
): Refusal {
  const attributes = { error, error_description: DESCRIPTIONS[error] }
  const headers = { 'www-authenticate': challengeOf(scheme, attributes) }
  return new Refusal(401, error, headers, cause)
}

/** The token is good and lacks a scope: 403. */
export function insufficientScope(scheme: Scheme, scopes: readonly string[]): Refusal {
  const error = 'insufficient_scope'
  const challenge = challengeOf(scheme, { error, scope: scopes.join(' ') })
  return new Refusal(403, error, { 'www-authenticate': challenge })
}

/** Keys or a status list can't be had: 503. The client must not throw its token away. */
export function unavailable(cause: unknown): Refusal {
  return new Refusal(503, 'temporarily_unavailable', { 'retry-after': '5' }, cause)
}

function challengeOf(
  { name, algorithms }: Scheme,
  attributes: Readonly<Record<string, string>>,
): string {
  const all = {
    ...attributes,
    ...(name === 'DPoP' && { algs: algorithms.join(' ') }),
  }
  const listed = Object.entries(all).map(([key, value]) => `${key}="${value}"`)
  return [name, listed.join(', ')].filter(part => part !== '').join(' ')
}
