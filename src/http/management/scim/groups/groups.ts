// What SCIM does with groups: adds, shows, changes and removes them, and says who belongs to them, by the
// service of the core, for the caller that the guard has named.
import { OAuthError } from '../../../../oauth/errors.ts'
import {
  noResource,
  otherVersion,
  scimError,
  type ScimType,
} from '../../../../scim/errors.ts'
import { parseFilter } from '../../../../scim/filter/filter.ts'
import { GROUP_SCHEMAS } from '../../../../scim/group/group-schema.ts'
import { listBody, type ListRequest } from '../../../../scim/list.ts'
import { applyPatch } from '../../../../scim/patch/patch.ts'
import { project, type Projection } from '../../../../scim/projection.ts'
import { member, type Resource } from '../../../../scim/schema.ts'
import type { Account } from '../../../../stores/ports/directory.ts'
import type { Group } from '../../../../stores/ports/documents/groups.ts'
import { externalIdOf } from '../../../../users/attributes/external-ids.ts'
import type { GroupFault, GroupOutcome } from '../../../../users/groups/groups.ts'
import { matchesEtag } from '../../../request/etag.ts'
import { refuseOwn, type Call, type Shown, type UsersOptions } from '../users/users.ts'
import { planGroups } from './group-plan.ts'
import {
  groupResource,
  locationOf,
  readGroup,
  requestIn,
  subsIn,
  versionOf,
  wantsMembers,
} from './group-resource.ts'

/** The routes' work. Each throws OAuthError in SCIM's words, and StoreUnavailable. */
export interface ScimGroups {
  list(call: Call, asked: ListRequest): Promise<Resource>
  show(call: Call, id: string, projection: Projection): Promise<Shown>
  add(call: Call, body: unknown, projection: Projection): Promise<Shown>
  replace(call: Call, id: string, projection: Projection): Promise<Shown>
  patch(call: Call, id: string, projection: Projection): Promise<Shown>
  remove(call: Call, id: string): Promise<void>
}

const PAGE = 1000

const WORDS: Readonly<
  Record<Exclude<GroupFault, 'group_unknown'>, readonly [ScimType, string]>
> = {
  role_invalid: [
    'invalidValue',
    'displayName must be 1 to 128 characters without blanks, commas and controls',
  ],
  name_taken: ['uniqueness', 'displayName is taken, or is the role of another group'],
  external_id_taken: ['uniqueness', 'externalId is taken'],
  too_many_groups: ['tooMany', 'there may be no more groups'],
  member_unknown: ['invalidValue', 'members names a user that is not there'],
  member_of_directory: [
    'invalidValue',
    'a member is the user of a directory elsewhere, which alone gives and takes roles',
  ],
  changed_meanwhile: ['tooMany', 'too many change groups at once: try again'],
}

type Services = ReturnType<UsersOptions['core']['as']>

/** Makes them. */
export function createScimGroups(options: UsersOptions): ScimGroups {
  const { core, strict } = options
  const servicesOf = ({ caller, request }: Call): Services =>
    core.as(caller.actor, request)

  async function require(call: Call, id: string): Promise<Group> {
    const found = (await servicesOf(call).groups.all()).find(group => group.id === id)
    if (found === undefined) throw noResource()
    const ifMatch = call.request.headers['if-match']
    if (
      ifMatch !== undefined &&
      !matchesEtag(ifMatch, versionOf(found).slice('W/'.length))
    ) {
      throw otherVersion()
    }
    return found
  }

  async function shown(call: Call, group: Group, projection: Projection): Promise<Shown> {
    const base = options.baseOf(call.request)
    const members = wantsMembers(projection, true)
      ? await membersOf(servicesOf(call), group)
      : undefined
    const resource = groupResource(group, { base, call, members })
    return {
      body: project(resource, projection, GROUP_SCHEMAS),
      version: versionOf(group),
      location: locationOf(group, base),
    }
  }

  /** Writes what a whole group asks for, from what it was. */
  async function write(
    call: Call,
    group: Group,
    { wanted, before }: { wanted: Resource; before: readonly Account[] },
  ): Promise<Group> {
    const { groups } = servicesOf(call)
    const after = subsIn(member(wanted, 'members'))
    const had = new Set(before.map(({ sub }) => sub))
    const joining = [...after].filter(sub => !had.has(sub))
    const leaving = [...had].filter(sub => !after.has(sub))
    for (const sub of [...joining, ...leaving]) refuseOwn(call.caller, sub)
    await refuseUnknown(joining)
    const changed = done(await groups.change(group.id, requestIn(call, wanted)))
    if (joining.length + leaving.length === 0) return changed
    return done(await groups.setMembers(group.id, { joining, leaving }))
  }

  async function refuseUnknown(subs: readonly string[]): Promise<void> {
    for (const sub of subs) {
      if ((await core.accounts.bySub(sub)) === undefined) {
        throw groupError('member_unknown')
      }
    }
  }

  return {
    list: createList(options, servicesOf),
    show: async (call, id, projection) =>
      shown(call, await require(call, id), projection),
    async add(call, body, projection) {
      const wanted = readGroup(body)
      const { groups } = servicesOf(call)
      const joining = [...subsIn(member(wanted, 'members'))]
      for (const sub of joining) refuseOwn(call.caller, sub)
      await refuseUnknown(joining)
      const group = done(await groups.add(requestIn(call, wanted)))
      const full =
        joining.length === 0
          ? group
          : done(await groups.setMembers(group.id, { joining, leaving: [] }))
      return shown(call, full, projection)
    },
    async replace(call, id, projection) {
      const wanted = readGroup(call.request.body)
      const group = await require(call, id)
      const before = await membersOf(servicesOf(call), group)
      return shown(call, await write(call, group, { wanted, before }), projection)
    },
    async patch(call, id, projection) {
      const group = await require(call, id)
      const before = await membersOf(servicesOf(call), group)
      const resource = groupResource(group, {
        base: options.baseOf(call.request),
        call,
        members: before,
      })
      const rules = { schemas: GROUP_SCHEMAS, strict: strict() }
      const wanted = applyPatch(resource, call.request.body, rules)
      return shown(call, await write(call, group, { wanted, before }), projection)
    },
    async remove(call, id) {
      const { role } = await require(call, id)
      const { sub } = call.caller
      const own = sub === undefined ? undefined : await core.accounts.bySub(sub)
      if (own?.roles.includes(role) === true) refuseOwn(call.caller, own.sub)
      done(await servicesOf(call).groups.remove(id))
    },
  }
}

function createList(
  { core, cursors, baseOf }: UsersOptions,
  servicesOf: (call: Call) => Services,
): ScimGroups['list'] {
  return async function listGroups(
    call,
    { filter, projection, count, startIndex, cursor },
  ) {
    const services = servicesOf(call)
    const checks = filter === undefined ? [] : planGroups(parseFilter(filter))
    const view = {
      externalId: externalIdOf(call.caller.actor),
      rolesOf: async (sub: string) => (await core.accounts.bySub(sub))?.roles ?? [],
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
      const resource = groupResource(group, { base, call, members })
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

/** All members, page after page. */
async function membersOf(
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

function done(outcome: GroupOutcome): Group {
  if (outcome.kind === 'done') return outcome.group
  throw groupError(outcome.reason)
}

function groupError(reason: GroupFault): OAuthError {
  return reason === 'group_unknown' ? noResource() : scimError(...WORDS[reason])
}
