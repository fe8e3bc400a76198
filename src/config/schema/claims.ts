// What the configuration says of the claims of access tokens.
import { Type } from 'typebox'
import type { ClaimValue } from '../../oauth/claims.ts'
import { ScopeToken, strict } from './parts.ts'

/** The name of a claim; RESERVED_CLAIMS has those that are taken. */
const ClaimName = Type.String({
  pattern: '^[A-Za-z0-9_][\\x21-\\x7E]{0,127}$',
  expected:
    'the name of a claim: up to 128 printable ASCII characters without blanks, a ' +
    'letter, digit or _ first',
})

const From = Type.String({
  minLength: 1,
  expected: 'the name of an attribute',
  description:
    'The attribute of the account whose value the claim has, as it is when the ' +
    'token is made; `email_verified` goes with `email`.',
})

const SCALARS = ['string', 'number', 'boolean']

const Value = Object.assign(
  Type.Unsafe<ClaimValue>({
    type: [...SCALARS, 'array'],
    items: { type: SCALARS, expected: 'a text, a number, true or false' },
    minItems: 1,
    maxItems: 100,
  }),
  {
    expected: 'a text, a number, true, false, or a list of 1 to 100 of these',
    description: 'The value, the same in every token.',
  },
)

/** `claims`, and `claims` of an audience. */
export function claims(description: string) {
  return Type.Record(
    ClaimName,
    Type.Object(
      {
        from: Type.Optional(From),
        value: Type.Optional(Value),
        scope: Type.Optional(
          Type.String({
            ...ScopeToken,
            description: 'The claim is only in tokens that have this scope.',
          }),
        ),
      },
      strict,
    ),
    { propertyNames: ClaimName, default: {}, description },
  )
}
