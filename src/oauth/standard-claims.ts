// The claims about a person that OpenID Connect Core §5.1 names, with the types of their values. Left out are
// `address`, which is an object (§5.1.1), and those that Latchkey itself knows: `sub`, `preferred_username`,
// `email_verified`, `updated_at`.

/** What a single value of an attribute may be. */
export type AttributeType = 'string' | 'email' | 'integer' | 'boolean' | 'date-time'

/** Claim → type. */
const STANDARD_CLAIMS: ReadonlyMap<string, AttributeType> = new Map([
  ['name', 'string'],
  ['given_name', 'string'],
  ['family_name', 'string'],
  ['middle_name', 'string'],
  ['nickname', 'string'],
  ['profile', 'string'],
  ['picture', 'string'],
  ['website', 'string'],
  ['email', 'email'],
  ['gender', 'string'],
  ['birthdate', 'string'],
  ['zoneinfo', 'string'],
  ['locale', 'string'],
  ['phone_number', 'string'],
  ['phone_number_verified', 'boolean'],
])

/** The type of a claim of OpenID Connect Core §5.1; undefined: it knows none of that name. */
export function standardTypeOf(claim: string): AttributeType | undefined {
  return STANDARD_CLAIMS.get(claim)
}
