// The bodies of the routes that need no token, and what is read of them.
import { Type } from 'typebox'
import { malformedBody } from '../../../oauth/account-errors.ts'
import type { Proof } from '../../../self-service/redeem.ts'
import { isCode } from '../../../tickets/tickets.ts'
import { bodyReader } from '../../request/json-body.ts'

const strict = { additionalProperties: false }
const TICKET_EXAMPLE = `tk_${'A'.repeat(66)}`

const Name = Type.String({
  maxLength: 1024,
  description: 'What the user logs in with.',
})
const Locale = Type.Optional(
  Type.String({
    pattern: '^[A-Za-z0-9-]{1,35}$',
    description: 'The language of what is sent (BCP 47).',
  }),
)
const NewPassword = Type.String({ format: 'password', description: 'The new one.' })

/** Of `POST /account`. */
export const SignUpRequest = Type.Object(
  {
    name: Type.Optional(Name),
    password: NewPassword,
    attributes: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'Values of attributes that are marked `self`.',
      }),
    ),
    locale: Locale,
    ticket: Type.Optional(
      Type.String({
        description: 'The ticket of an invitation, instead of name and attributes.',
      }),
    ),
  },
  {
    ...strict,
    title: 'SignUp',
    examples: [
      {
        name: 'alice',
        password: 'correct horse battery staple',
        attributes: { email: 'alice@example.com' },
      },
    ],
  },
)

const PROOF = {
  ticket: Type.Optional(Type.String({ description: 'As it was sent.' })),
  name: Type.Optional(Name),
  code: Type.Optional(
    Type.String({ description: 'With the name, instead of the ticket: 8 digits.' }),
  ),
}

/** Of `POST /account/verification`. */
export const VerificationRequest = Type.Object(PROOF, {
  ...strict,
  title: 'AddressVerification',
  examples: [{ ticket: TICKET_EXAMPLE }],
})

/** Of `POST /account/recovery`. */
export const RecoveryRequest = Type.Object(
  { name: Name, locale: Locale },
  { ...strict, title: 'RecoveryRequest', examples: [{ name: 'alice', locale: 'en' }] },
)

/** Of `POST /account/recovery/completion`. */
export const CompletionRequest = Type.Object(
  { ...PROOF, password: NewPassword },
  {
    ...strict,
    title: 'RecoveryCompletion',
    examples: [{ ticket: TICKET_EXAMPLE, password: 'correct horse battery staple' }],
  },
)

/** Reads a sign-up. Throws OAuthError invalid_request. */
export const readSignUp = bodyReader(SignUpRequest)
/** Reads a verification. Throws OAuthError invalid_request. */
export const readVerification = bodyReader(VerificationRequest)
/** Reads a request for a new password. Throws OAuthError invalid_request. */
export const readRecovery = bodyReader(RecoveryRequest)
/** Reads a new password. Throws OAuthError invalid_request. */
export const readCompletion = bodyReader(CompletionRequest)

/**
 * What somebody proves who they are by.
 *
 * @throws OAuthError invalid_request for anything but a ticket, or a code with its name
 */
export function proofOf({
  ticket,
  name,
  code,
}: {
  readonly ticket?: string
  readonly name?: string
  readonly code?: string
}): Proof {
  const isByTicket = name === undefined && code === undefined
  if (ticket !== undefined && isByTicket) return { ticket }
  const isByCode = ticket === undefined && code !== undefined && isCode(code)
  if (isByCode && name !== undefined) return { name, code }
  throw malformedBody('either a ticket, or a code of 8 digits and its name')
}
