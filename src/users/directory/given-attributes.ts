// What of a directory's attributes an account takes: those that the configuration declares and that are
// valid. A directory's odd value must lock nobody out.
import type { NewAccount } from '../../stores/ports/directory.ts'
import {
  nextAttributes,
  NOTHING_KNOWN,
  type AttributeRules,
} from '../account-attributes.ts'
import { checkAttributes, isFault, isSameEmail } from '../attributes/check.ts'
import { roleValues } from '../groups/role-values.ts'
import type { Identity } from './external.ts'

/** The attributes of an account. */
export type GivenAttributes = Pick<
  NewAccount,
  'attributes' | 'emailVerified' | 'uniqueValues'
>

/** What a directory gives, and to whom. */
interface Given extends Pick<Identity, 'attributes' | 'emailVerified'> {
  readonly sub: string
  readonly roles: readonly string[]
}

/** Reads what a directory gives. */
export type ReadGiven = (given: Given) => GivenAttributes

/** What an account has of attributes when a directory has said something of it. */
export function completed(
  {
    attributes: before,
    emailVerified: wasVerified,
  }: Pick<GivenAttributes, 'attributes' | 'emailVerified'>,
  { attributes: said, emailVerified, keeps = () => false }: Identity,
): Pick<Identity, 'attributes' | 'emailVerified'> {
  const kept = Object.entries(before).filter(([name]) => keeps(name))
  const attributes: Identity['attributes'] = { ...Object.fromEntries(kept), ...said }
  const { email } = attributes
  // Another address is another mailbox.
  const isStill = typeof email === 'string' && isSameEmail(before['email'], email)
  const stays = keeps('email_verified') && isStill && wasVerified
  return { attributes, emailVerified: emailVerified ?? stays }
}

/** Makes the reader; `rules` gives those of now. */
export function createReadGiven(rules: () => AttributeRules): ReadGiven {
  return function readGiven({ sub, roles, attributes, emailVerified }) {
    const { declarations, checkClaims } = rules()
    const before = { ...NOTHING_KNOWN, sub, roles }
    const valid = Object.entries(attributes).filter(
      ([name, value]) =>
        value !== null && !isFault(checkAttributes({}, { [name]: value }, declarations)),
    )
    const taken = Object.fromEntries(valid)
    const request = {
      attributes: taken,
      emailVerified: emailVerified === true && taken['email'] !== undefined,
    }
    const next = nextAttributes(before, request, { declarations, checkClaims })
    return isFault(next)
      ? { ...NOTHING_KNOWN, uniqueValues: roleValues(sub, roles) }
      : next
  }
}
