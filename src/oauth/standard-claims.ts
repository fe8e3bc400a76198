// The claims about a person that OpenID Connect Core §5.1 names, with the types of their values. Left out are
// `address`, which is an object (§5.1.1), and those that Latchkey itself knows: `sub`, `preferred_username`,
// `email_verified`, `updated_at`.

/** What a single value of an attribute may be. */
export type AttributeType = 'string' | 'email' | 'integer' | 'boolean' | 'date-time'

/** A scope that asks for claims about a person (OIDC Core §5.4). */
export type ClaimsScope = 'profile' | 'email' | 'phone'

const STANDARD_CLAIMS: ReadonlyMap<
  string,
  { readonly type: AttributeType; readonly scope: ClaimsScope }
> = new Map([
  ['name', { type: 'string', scope: 'profile' }],
  ['given_name', { type: 'string', scope: 'profile' }],
  ['family_name', { type: 'string', scope: 'profile' }],
  ['middle_name', { type: 'string', scope: 'profile' }],
  ['nickname', { type: 'string', scope: 'profile' }],
  ['profile', { type: 'string', scope: 'profile' }],
  ['picture', { type: 'string', scope: 'profile' }],
  ['website', { type: 'string', scope: 'profile' }],
  ['email', { type: 'email', scope: 'email' }],
  ['gender', { type: 'string', scope: 'profile' }],
  ['birthdate', { type: 'string', scope: 'profile' }],
  ['zoneinfo', { type: 'string', scope: 'profile' }],
  ['locale', { type: 'string', scope: 'profile' }],
  ['phone_number', { type: 'string', scope: 'phone' }],
  ['phone_number_verified', { type: 'boolean', scope: 'phone' }],
])

/** The type of a claim of OpenID Connect Core §5.1; undefined: it knows none of that name. */
export function standardTypeOf(claim: string): AttributeType | undefined {
  return STANDARD_CLAIMS.get(claim)?.type
}

/** The scope that asks for such a claim; undefined: none does. */
export function standardScopeOf(claim: string): ClaimsScope | undefined {
  return STANDARD_CLAIMS.get(claim)?.scope
}
