// What of a directory's attributes an account takes: those that the configuration declares and that are
// valid. A directory's odd value must lock nobody out.
import type { NewAccount } from '../../stores/ports/directory.ts'
import {
  nextAttributes,
  NOTHING_KNOWN,
  type AttributeRules,
} from '../account-attributes.ts'
import { checkAttributes, isFault } from '../attributes/check.ts'
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
      emailVerified: emailVerified && taken['email'] !== undefined,
    }
    const next = nextAttributes(before, request, { declarations, checkClaims })
    return isFault(next)
      ? { ...NOTHING_KNOWN, uniqueValues: roleValues(sub, roles) }
      : next
  }
}
