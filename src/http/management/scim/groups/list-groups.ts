// Lists of groups, and the members of one. All groups are read at once, and the page is cut from them.
import { parseFilter } from '../../../../scim/filter/filter.ts'
import { listBody, type ListRequest } from '../../../../scim/list.ts'
import { GROUP_SCHEMAS } from '../../../../scim/group/group-schema.ts'
import { project } from '../../../../scim/projection.ts'
import type { Resource } from '../../../../scim/schema.ts'
import type { Account } from '../../../../stores/ports/directory.ts'
import type { Group } from '../../../../stores/ports/documents/groups.ts'
import { externalIdOf } from '../../../../users/attributes/external-ids.ts'
import type { Call, ResourcesOptions } from '../resources.ts'
import { planGroups } from './group-plan.ts'
import { groupResource, wantsMembers } from './group-resource.ts'

/** So many members are read at once: a larger page of Redis' index is worth a millisecond. */
const PAGE = 250

/** The core's services, for a caller. */
export type Services = ReturnType<ResourcesOptions['core']['as']>

/** Gives them for a call. */
export type ServicesOf = (call: Call) => Services

/** Makes the list: groups that a filter means, by cursor or by index. */
export function createList(
  { core, cursors, baseOf }: ResourcesOptions,
  servicesOf: ServicesOf,
): (call: Call, asked: ListRequest) => Promise<Resource> {
  return async function listGroups(
    call,
    { filter, projection, count, startIndex, cursor },
  ) {
    const services = servicesOf(call)
    const checks = filter === undefined ? [] : planGroups(parseFilter(filter))
    const view = {
      externalId: externalIdOf(call.caller.actor),
      rolesOf: createRolesOf(core.accounts),
    }
    const meant: Group[] = []
    for (const group of await services.groups.all()) {
      const held = await Promise.all(checks.map(check => check(group, view)))
      if (held.every(Boolean)) meant.push(group)
    }
    const list = ['Groups', call.caller.actor, filter ?? '']
    const after =
      cursor === undefined || cursor === '' ? undefined : cursors.open(cursor, list)
    const from =
      cursor === undefined
        ? startIndex - 1
        : meant.findIndex(({ id }) => id === after) + 1
    const page = meant.slice(from, from + count)
    const last = page.at(-1)
    const isLast = from + count >= meant.length
    const base = baseOf(call.request)
    const resources: Resource[] = []
    for (const group of page) {
      const members = wantsMembers(projection, false)
        ? await membersOf(services, group)
        : undefined
      const resource = await groupResource(group, { base, call, members })
      resources.push(project(resource, projection, GROUP_SCHEMAS))
    }
    return listBody({
      resources,
      total: meant.length,
      startIndex: cursor === undefined ? startIndex : undefined,
      nextCursor:
        cursor === undefined || last === undefined || isLast
          ? undefined
          : cursors.seal(last.id, list),
    })
  }
}

/** Reads each account once, however many groups and terms ask for it. */
function createRolesOf({ bySub }: ResourcesOptions['core']['accounts']) {
  const known = new Map<string, Promise<readonly string[]>>()
  return (sub: string): Promise<readonly string[]> => {
    const roles = known.get(sub) ?? bySub(sub).then(account => account?.roles ?? [])
    known.set(sub, roles)
    return roles
  }
}

/** All members, page after page. */
export async function membersOf(
  { groups }: Services,
  group: Group,
): Promise<readonly Account[]> {
  const members: Account[] = []
  let page: readonly Account[]
  do {
    page = await groups.members(group, { after: members.at(-1)?.sub, limit: PAGE })
    members.push(...page)
  } while (page.length === PAGE)
  return members
}
