// An account as SCIM shows it, and what it is shown with.
import type { Resource } from '../../../../scim/schema.ts'
import { userResource, type UserView } from '../../../../scim/user/user-resource.ts'
import type { Account } from '../../../../stores/ports/directory.ts'
import { externalIdOf } from '../../../../users/attributes/external-ids.ts'
import { valueTypeOf } from '../../../../users/attributes/value-types.ts'
import { mustChangePassword } from '../../../../users/required-change.ts'
import type { Call, ResourcesOptions } from '../resources.ts'

/** The account as a user. */
export function resourceOf(account: Account, view: UserView): Resource {
  const passwordChangeRequired = mustChangePassword(account)
  return userResource({ ...account, passwordChangeRequired }, view)
}

/** Makes what reads with what users are shown to a caller. */
export function createViews({ core, baseOf }: ResourcesOptions) {
  return async ({ caller, request }: Call): Promise<UserView> => ({
    declared: core.settings.attributes(),
    externalId: externalIdOf(caller.actor),
    typeOf: valueTypeOf,
    base: baseOf(request),
    groups: (await core.store.groups.load()).groups,
  })
}
