// Groups of users: a registry of roles, so that one may be empty and be called otherwise without a change at
// its members. What a group is called changes; the role that its members have, and tokens say, is what it was
// called first. Only here are the events of groups emitted.
import type { Emit } from '../../base/events/events.ts'
import type { Random } from '../../base/random.ts'
import type { Account } from '../../stores/ports/directory.ts'
import type { Group, Groups as GroupStore } from '../../stores/ports/documents/groups.ts'
import type { Accounts } from '../accounts.ts'
import { isRole } from '../roles.ts'
import { faultOf, nextOf, type GroupRequest } from './next-group.ts'
import { ROLE_INDEX, rolePrefix } from './role-values.ts'
import {
  createSetRoles,
  inTurns,
  type MemberRefused,
  type RoleRefusal,
} from './set-roles.ts'

/** Why nothing was changed. */
export type GroupFault =
  | 'group_unknown'
  | 'role_invalid'
  | 'name_taken'
  | 'external_id_taken'
  | 'too_many_groups'
  | 'member_unknown'
  | 'member_of_directory'
  | 'changed_meanwhile'
  | 'superseded'

/** What comes of it. */
export type GroupOutcome =
  | { readonly kind: 'done'; readonly group: Group }
  | { readonly kind: 'refused'; readonly reason: GroupFault }
  | ({ readonly kind: 'refused' } & MemberRefused)

/** Who joins and who leaves, by their `sub`. */
export interface MembersChange {
  readonly joining: readonly string[]
  readonly leaving: readonly string[]
}

/** The groups. Promises reject with StoreUnavailable. */
export interface Groups {
  /** All, in the order of creation. */
  all(): Promise<readonly Group[]>
  add(request: GroupRequest & { readonly displayName: string }): Promise<GroupOutcome>
  /** `from`: the revision that it was decided on; `superseded` where there is another by now. */
  change(id: string, request: GroupRequest, from?: number): Promise<GroupOutcome>
  /** The next members in the order of their `sub`, behind one of them. */
  members(
    group: Pick<Group, 'role'>,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly Account[]>
  /**
   * Gives some the role and takes it from others. Nobody is changed where one who joins isn't known. Each
   * account is a change of its own: after a fault, or where one of them is refused, the same call completes
   * it.
   */
  setMembers(id: string, change: MembersChange): Promise<GroupOutcome>
  /** Takes the role from its members, and then the group away. `from`: as of `change`. */
  remove(id: string, from?: number): Promise<GroupOutcome>
}

export interface GroupsOptions {
  readonly groups: GroupStore
  readonly accounts: Pick<Accounts, 'bySub' | 'byValue' | 'change' | 'search'>
  readonly emit: Emit
  readonly random: Random
  /** The store's clock. */
  readonly now: () => Promise<number>
}

/** They are one document, which each answer reads. */
const MOST_GROUPS = 1000
/** Of writers at once one is first, and the others look again: so many times. */
const MOST_TRIES = 100
/** Of an id, in hex: of base64url it might begin with a dash, which command lines take for an option. */
const ID_BYTES = 12
const PAGE = 500

/** Makes the groups. */
export function createGroups(options: GroupsOptions): Groups {
  const { groups, accounts, emit, now } = options
  const save = createSave(groups)
  const { members, setRoles, empty } = createMembers(accounts)

  const touched: Groups['change'] = async (id, request, from) => {
    const at = await now()
    return save(all => {
      const group = all.find(each => each.id === id)
      if (group === undefined) return 'group_unknown'
      if (from !== undefined && from !== group.revision) return 'superseded'
      const next = nextOf(group, request, at)
      const fault = faultOf(next, all)
      if (fault !== undefined) return fault
      return { all: all.map(each => (each === group ? next : each)), group: next }
    })
  }

  const changed: Groups['change'] = async (id, request, from) => {
    const outcome = await touched(id, request, from)
    if (outcome.kind === 'done') {
      emit({ type: 'group.changed', group: id, change: 'changed' })
    }
    return outcome
  }

  async function find(id: string): Promise<Group | undefined> {
    return (await groups.load()).groups.find(each => each.id === id)
  }

  return {
    all: async () => (await groups.load()).groups,
    add: createAdd(options, save),
    change: changed,
    members,
    async setMembers(id, { joining, leaving }) {
      const group = await find(id)
      if (group === undefined) return refused('group_unknown')
      const { role } = group
      const known = await inTurns(joining, accounts.bySub)
      if (known.includes(undefined)) return refused('member_unknown')
      const holders = new Set(
        known.flatMap(each => (each?.roles.includes(role) === true ? [each.sub] : [])),
      )
      const fault =
        (await setRoles(joining, { role, has: true, holders })) ??
        (await setRoles(leaving, { role, has: false }))
      return fault === undefined ? changed(id, {}) : { kind: 'refused', ...fault }
    },
    async remove(id, from) {
      // Whoever else decided on that revision comes too late from here on.
      const claim = from === undefined ? undefined : await touched(id, {}, from)
      if (claim?.kind === 'refused') return claim
      const group = await find(id)
      if (group === undefined) return refused('group_unknown')
      const fault = await empty(group)
      if (fault !== undefined) return { kind: 'refused', ...fault }
      const outcome = await save(all =>
        all.some(each => each.id === id)
          ? { all: all.filter(each => each.id !== id), group }
          : 'group_unknown',
      )
      if (outcome.kind === 'done') {
        emit({ type: 'group.changed', group: id, change: 'removed' })
      }
      return outcome
    },
  }
}

/** Makes the step that adds a group. */
function createAdd(
  { emit, random, now }: GroupsOptions,
  save: ReturnType<typeof createSave>,
): Groups['add'] {
  return async ({ displayName, externalId }) => {
    if (!isRole(displayName)) return refused('role_invalid')
    const at = await now()
    const group = nextOf(
      {
        id: random.bytes(ID_BYTES).toString('hex'),
        role: displayName,
        displayName,
        externalIds: {},
        createdAt: at,
        updatedAt: at,
        revision: -1,
      },
      { ...(externalId !== undefined && { externalId }) },
      at,
    )
    const outcome = await save(all => {
      const fault = all.length < MOST_GROUPS ? faultOf(group, all) : 'too_many_groups'
      return fault ?? { all: [...all, group], group }
    })
    if (outcome.kind === 'done') {
      emit({ type: 'group.changed', group: group.id, change: 'added' })
    }
    return outcome
  }
}

/** Who belongs to a group: those whose account has its role. */
function createMembers(accounts: GroupsOptions['accounts']) {
  const setRoles = createSetRoles(accounts)

  const members: Groups['members'] = async ({ role }, { after, limit }) => {
    const prefix = rolePrefix(role)
    const found = await accounts.search({
      attribute: ROLE_INDEX,
      prefix,
      limit,
      ...(after !== undefined && { after: `${prefix}${after}` }),
    })
    return found.map(({ account }) => account)
  }

  /** Takes the role from all; each page is behind the one before, so that it ends whatever is refused. */
  async function empty(group: Group): Promise<RoleRefusal | undefined> {
    let after: string | undefined
    for (;;) {
      const page = await members(group, { after, limit: PAGE })
      const subs = page.map(({ sub }) => sub)
      const fault = await setRoles(subs, { role: group.role, has: false })
      if (fault !== undefined || page.length < PAGE) return fault
      after = subs.at(-1)
    }
  }

  return { members, setRoles, empty }
}

/** The document with a change, tried again where somebody was faster. */
function createSave(groups: GroupStore) {
  return async (
    next: (
      all: readonly Group[],
    ) => GroupFault | { readonly all: readonly Group[]; readonly group: Group },
  ): Promise<GroupOutcome> => {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const list = await groups.load()
      const change = next(list.groups)
      if (typeof change === 'string') return refused(change)
      if (await groups.save({ ...list, groups: change.all })) {
        return { kind: 'done', group: change.group }
      }
    }
    return refused('changed_meanwhile')
  }
}

function refused(reason: GroupFault): GroupOutcome {
  return { kind: 'refused', reason }
}
