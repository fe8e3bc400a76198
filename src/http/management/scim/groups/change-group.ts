// Changes a group to what a caller wants it to be: decided from the group as it was read, and decided anew
// where somebody else was faster. Whoever names a version is told so instead.
import type { Core } from '../../../../core/core.ts'
import { member, type Resource } from '../../../../scim/schema.ts'
import type { Account } from '../../../../stores/ports/directory.ts'
import type { Group } from '../../../../stores/ports/documents/groups.ts'
import { isOwnedElsewhere } from '../../../../users/account-attributes.ts'
import type { GroupOutcome } from '../../../../users/groups/groups.ts'
import { inTurns } from '../../../../users/groups/set-roles.ts'
import type { Call } from '../resources.ts'
import { refuseOwn } from '../users/users.ts'
import { done, groupError } from './group-errors.ts'
import { changesIn, subsIn } from './group-resource.ts'
import { membersOf, type ServicesOf } from './list-groups.ts'

/** Of writers at once one is first, and the others look again: so many times. */
const MOST_TRIES = 100

/** What the change needs. */
export interface ChangeGroupOptions {
  readonly core: Pick<Core, 'accounts'>
  readonly servicesOf: ServicesOf
  /** The group as it is now; throws where it isn't there or has another version than the call names. */
  readonly require: (call: Call, id: string) => Promise<Group>
}

/**
 * Makes the change. `next` says from the group of now and its members what it is to be, and is asked again
 * where that has changed. Throws OAuthError in SCIM's words, and StoreUnavailable.
 */
export function createChangeGroup({ core, servicesOf, require }: ChangeGroupOptions) {
  async function write(
    call: Call,
    group: Group,
    { wanted, before }: { wanted: Resource; before: readonly Account[] },
  ): Promise<GroupOutcome> {
    const { groups } = servicesOf(call)
    const after = subsIn(member(wanted, 'members'))
    const had = new Set(before.map(({ sub }) => sub))
    const joining = [...after].filter(sub => !had.has(sub))
    const leaving = [...had].filter(sub => !after.has(sub))
    for (const sub of [...joining, ...leaving]) refuseOwn(call.caller, sub)
    await refuseJoining(core, { joining, role: group.role })
    refuseElsewhere(before.filter(({ sub }) => !after.has(sub)))
    const changes = changesIn(call, group, wanted)
    const isSame = Object.keys(changes).length === 0
    const movesMembers = joining.length + leaving.length > 0
    // Members alone are no whole: who joins or leaves at once with others takes nothing from them.
    const changed =
      isSame && !(movesMembers && isBound(call))
        ? ({ kind: 'done', group } as const)
        : await groups.change(group.id, changes, group.revision)
    if (changed.kind === 'refused' || !movesMembers) return changed
    return groups.setMembers(group.id, { joining, leaving })
  }

  return async function changeGroup(
    call: Call,
    id: string,
    next: (group: Group, members: readonly Account[]) => Promise<Resource>,
  ): Promise<Group> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const group = await require(call, id)
      const before = await membersOf(servicesOf(call), group)
      const wanted = await next(group, before)
      const outcome = await write(call, group, { wanted, before })
      if (outcome.kind === 'done' || outcome.reason !== 'superseded') return done(outcome)
    }
    throw groupError('changed_meanwhile')
  }
}

/** Whether the call is about one version of the group, and no other (RFC 7644 §3.14); `*` is any version. */
export function isBound({ request }: Call): boolean {
  const { 'if-match': ifMatch } = request.headers
  return ifMatch !== undefined && ifMatch.trim() !== '*'
}

/**
 * Before anything is written: what is refused half way is never completed by the same request.
 *
 * @throws OAuthError invalidValue where one of them is nobody, or gets no role here
 */
export async function refuseJoining(
  { accounts }: ChangeGroupOptions['core'],
  { joining, role }: { readonly joining: readonly string[]; readonly role: string },
): Promise<void> {
  for (const account of await inTurns(joining, accounts.bySub)) {
    if (account === undefined) throw groupError('member_unknown')
    if (!account.roles.includes(role)) refuseElsewhere([account])
  }
}

/** @throws OAuthError invalidValue where a directory elsewhere says which roles one of them has */
export function refuseElsewhere(changing: readonly Account[]): void {
  if (changing.some(isOwnedElsewhere)) throw groupError('member_of_directory')
}
