// What SCIM does with groups: adds, shows, changes and removes them, and says who belongs to them, by the
// service of the core, for the caller that the guard has named.
import { noResource, otherVersion } from '../../../../scim/errors.ts'
import { GROUP_SCHEMAS } from '../../../../scim/group/group-schema.ts'
import { applyPatch } from '../../../../scim/patch/patch.ts'
import { project, type Projection } from '../../../../scim/projection.ts'
import { member } from '../../../../scim/schema.ts'
import type { Group } from '../../../../stores/ports/documents/groups.ts'
import { matchesEtag } from '../../../request/etag.ts'
import type { Call, Resources, ResourcesOptions, Shown } from '../resources.ts'
import { refuseOwn } from '../users/users.ts'
import {
  createChangeGroup,
  isBound,
  refuseElsewhere,
  refuseJoining,
} from './change-group.ts'
import { done } from './group-errors.ts'
import {
  groupResource,
  locationOf,
  readGroup,
  requestIn,
  subsIn,
  versionOf,
  wantsMembers,
} from './group-resource.ts'
import { createList, membersOf, type ServicesOf } from './list-groups.ts'

/** Makes the routes' work at groups. */
export function createScimGroups(options: ResourcesOptions): Resources {
  const { core, strict } = options
  const servicesOf: ServicesOf = ({ caller, request }) => core.as(caller.actor, request)

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
    const resource = await groupResource(group, { base, call, members })
    return {
      body: project(resource, projection, GROUP_SCHEMAS),
      version: versionOf(group),
      location: locationOf(group, base),
    }
  }

  const change = createChangeGroup({ core, servicesOf, require })

  return {
    list: createList(options, servicesOf),
    show: async (call, id, projection) =>
      shown(call, await require(call, id), projection),
    async add(call, body, projection) {
      const wanted = readGroup(body)
      const { groups } = servicesOf(call)
      const joining = [...subsIn(member(wanted, 'members'))]
      for (const sub of joining) refuseOwn(call.caller, sub)
      const request = requestIn(call, wanted)
      await refuseJoining(core, { joining, role: request.displayName })
      const group = done(await groups.add(request))
      const full =
        joining.length === 0
          ? group
          : done(await groups.setMembers(group.id, { joining, leaving: [] }))
      return shown(call, full, projection)
    },
    async replace(call, id, projection) {
      const wanted = readGroup(call.request.body)
      return shown(call, await change(call, id, async () => wanted), projection)
    },
    async patch(call, id, projection) {
      const rules = { schemas: GROUP_SCHEMAS, strict: strict() }
      const base = options.baseOf(call.request)
      const changed = await change(call, id, async (group, members) =>
        applyPatch(
          await groupResource(group, { base, call, members }),
          call.request.body,
          rules,
        ),
      )
      return shown(call, changed, projection)
    },
    async remove(call, id) {
      const group = await require(call, id)
      const { role, revision } = group
      const { sub } = call.caller
      const own = sub === undefined ? undefined : await core.accounts.bySub(sub)
      if (own?.roles.includes(role) === true) refuseOwn(call.caller, own.sub)
      refuseElsewhere(await membersOf(servicesOf(call), group))
      const from = isBound(call) ? revision : undefined
      done(await servicesOf(call).groups.remove(id, from))
    },
  }
}
