// Why an account isn't added or changed, as SCIM says it (RFC 7644 §3.12).
import { noResource, scimError, type ScimType } from '../../../../scim/errors.ts'
import { OAuthError } from '../../../../oauth/errors.ts'
import type { AddOutcome } from '../../../../users/add-account.ts'
import type { AccountOutcome } from '../../../../users/change-account.ts'
import { isExternalId } from '../../../../users/attributes/external-ids.ts'
import { attributeOfType } from '../../../../users/attributes/value-types.ts'

/** A refusal of the services. */
export type Refused =
  Extract<AccountOutcome, { kind: 'refused' }> | Extract<AddOutcome, { kind: 'refused' }>

const WORDS: Readonly<
  Record<
    Exclude<Refused['reason'], 'user_unknown' | 'changed_meanwhile'>,
    readonly [type: ScimType, text: string]
  >
> = {
  name_invalid: ['invalidValue', 'userName is no name here'],
  name_taken: ['uniqueness', 'userName is taken'],
  directory_owns: [
    'mutability',
    'belongs to a directory elsewhere, which alone changes name, password, roles and attributes',
  ],
  role_invalid: ['invalidValue', 'a role is no role here'],
  password_malformed: ['invalidValue', 'password is malformed'],
  password_too_short: ['invalidValue', 'password is too short'],
  password_too_long: ['invalidValue', 'password is too long'],
  password_is_name: [
    'invalidValue',
    'password is the name of the user or of this server',
  ],
  password_breached: ['invalidValue', 'password is known from a breach'],
  attribute_undeclared: ['invalidValue', 'is not declared'],
  attribute_invalid: ['invalidValue', 'is invalid'],
  attributes_too_large: ['invalidValue', 'are too large'],
  claims_too_large: ['invalidValue', 'makes tokens too large'],
  attribute_taken: ['uniqueness', 'is taken'],
}

/** The error that answers a refusal. */
export function userError(refused: Refused): OAuthError {
  const { reason } = refused
  if (reason === 'user_unknown') return noResource()
  if (reason === 'changed_meanwhile') {
    return new OAuthError(409, 'conflict', {
      description: 'too many change this account at once: try again',
      reason: 'http_409',
    })
  }
  const [type, text] = WORDS[reason]
  if (!('path' in refused)) return scimError(type, text)
  const expected = 'expected' in refused ? `: expected ${refused.expected}` : ''
  return scimError(type, `${shownPath(refused.path)} ${text}${expected}`)
}

/** What is kept under a name of its own, as SCIM calls it. */
function shownPath(path: string): string {
  if (isExternalId(path)) return 'externalId'
  const typed = attributeOfType(path)
  return typed === undefined ? path : `the type of ${typed}`
}
