// Claims that the configuration puts into access tokens, and the names that it may not take.

/** What one item of a claim may be. */
export type ClaimScalar = string | number | boolean

/** What a claim may be: one value, or a list of them. */
export type ClaimValue = ClaimScalar | readonly ClaimScalar[]

/** Claims by their names. */
export type Claims = Readonly<Record<string, ClaimValue>>

/** How one claim gets its value. */
export interface ClaimRule {
  /** The attribute of the account whose value it has; undefined: `value` is it. */
  readonly from?: string | undefined
  /** The value itself. */
  readonly value?: ClaimValue | undefined
  /** The claim stands only in tokens that have this scope; undefined: in all. */
  readonly scope?: string | undefined
}

/** The rules of the claims of one audience, by their names. */
export type ClaimRules = Readonly<Record<string, ClaimRule>>

/** Where the rules stand: for all audiences, and for single ones. */
export interface ConfiguredClaims {
  readonly claims: ClaimRules
  readonly audiences: Readonly<Record<string, { readonly claims: ClaimRules }>>
}

/** Claims that are lists of strings wherever they stand (RFC 9068 §2.2.3.1). */
export const LIST_CLAIMS: ReadonlySet<string> = new Set([
  'roles',
  'groups',
  'entitlements',
])

/** Whether a value may be one of LIST_CLAIMS. */
export function isListOfTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string')
}

/**
 * Names that no rule may take, and what keeps each: our tokens use the name already, or readers of the token,
 * or of our answer about it, would take it for a statement of ours.
 */
export const RESERVED_CLAIMS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'RFC 7519 §4.1': ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'],
    'RFC 9068 §2.2': ['client_id', 'scope', 'auth_time', 'acr', 'amr'],
    'RFC 7800 §3.1': ['cnf'],
    'RFC 8693 §4': ['act', 'may_act'],
    'RFC 9396 §9.1': ['authorization_details'],
    'RFC 8417 §2.2': ['events'],
    'OpenID Connect Core §2': ['azp', 'nonce', 'at_hash', 'c_hash'],
    'OpenID Connect Front-Channel Logout §3': ['sid'],
    'the Token Status List': ['status', 'status_list', 'ttl'],
    'RFC 7662 §2.2': ['active', 'username', 'token_type'],
    'RFC 9701 §5': ['token_introspection'],
  }).flatMap(([source, names]) => names.map(name => [name, source])),
)

/** The rules of an audience: those for all, and its own, which take the place of one of the same name. */
export function rulesOf(
  audience: string,
  { claims, audiences }: ConfiguredClaims,
): ClaimRules {
  return { ...claims, ...audiences[audience]?.claims }
}

/** What is known of an account, for rules that copy. */
export interface KnownOfUser {
  readonly attributes: Claims
  readonly emailVerified: boolean
}

/** What stands beside the attributes: whether the address in `email` was verified (OIDC Core §5.1). */
export const EMAIL_VERIFIED = 'email_verified'

/**
 * The value that a rule gives; undefined: none. `0`, `false` and the empty text are values, a list without
 * items is none (RFC 7643 §2.5). `user` is undefined for a client.
 */
export function valueBy(
  { from, value }: ClaimRule,
  user: KnownOfUser | undefined,
): ClaimValue | undefined {
  const found = from === undefined ? value : user && attributeOf(from, user)
  return Array.isArray(found) && found.length === 0 ? undefined : found
}

function attributeOf(
  name: string,
  { attributes, emailVerified }: KnownOfUser,
): ClaimValue | undefined {
  if (name !== EMAIL_VERIFIED) return attributes[name]
  return attributes['email'] === undefined ? undefined : emailVerified
}

/** How long claims are as the JSON of a token, which leaves out those without a value; bytes of UTF-8. */
export function bytesOf(claims: {
  readonly [name: string]: ClaimValue | undefined
}): number {
  return Buffer.byteLength(JSON.stringify(claims))
}
