// What an account has already, whatever has been declared since: it must not keep anybody from suspending its
// user, or from taking a role away.
import { isDeepStrictEqual } from 'node:util'
import type { Account, AttributesChange, UniqueValue } from '../stores/ports/directory.ts'
import type { AttributeChanges } from './attributes/check.ts'
import type { Directory } from './directory/directory.ts'
import { ROLE_INDEX } from './groups/role-values.ts'

/** Without the attributes that the account has already: the configuration may have forbidden them since. */
export function withoutKnown<Request extends { readonly attributes?: AttributeChanges }>(
  { attributes: known }: Account,
  request: Request,
): Request {
  if (request.attributes === undefined) return request
  const isKnown = ([name, value]: readonly [string, unknown]) =>
    isDeepStrictEqual(known[name], value)
  const changed = Object.entries(request.attributes).filter(each => !isKnown(each))
  return { ...request, attributes: Object.fromEntries(changed) }
}

/**
 * Without the unique values that the account has and hasn't claimed: two may have got one before it was
 * declared as unique. Attributes that change claim what they are to be. Rejects with StoreUnavailable.
 */
export async function withoutUnclaimed<Change extends AttributesChange>(
  account: Account,
  change: Change,
  { uniqueValuesOf }: Pick<Directory, 'uniqueValuesOf'>,
): Promise<Change> {
  const isKnown = ({ attribute }: UniqueValue) =>
    attribute !== ROLE_INDEX &&
    isDeepStrictEqual(account.attributes[attribute], change.attributes[attribute])
  const known = new Set(
    change.uniqueValues.filter(isKnown).map(({ attribute }) => attribute),
  )
  if (known.size === 0) return change
  const claimed = await uniqueValuesOf(account.tag)
  return {
    ...change,
    uniqueValues: [
      ...change.uniqueValues.filter(value => !isKnown(value)),
      ...claimed.filter(({ attribute }) => known.has(attribute)),
    ],
  }
}
