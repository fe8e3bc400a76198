// A group as SCIM shows it, and what SCIM asks a group to be.
import { mapInPieces } from '../../../../base/pieces.ts'
import { scimError } from '../../../../scim/errors.ts'
import { GROUP } from '../../../../scim/group/group-schema.ts'
import type { Projection } from '../../../../scim/projection.ts'
import { member, type Resource } from '../../../../scim/schema.ts'
import type { Account } from '../../../../stores/ports/directory.ts'
import type { Group } from '../../../../stores/ports/documents/groups.ts'
import { externalIdOf } from '../../../../users/attributes/external-ids.ts'
import type { GroupRequest } from '../../../../users/groups/next-group.ts'
import type { Call } from '../resources.ts'

/** So many members a request may name. */
const MOST_MEMBERS = 50_000
/** So many are shown in one piece: a tenth of a millisecond. */
const PIECE = 200

/** Lists leave them out unless they are named: a page would have those of every group. */
export function wantsMembers(
  { attributes, excluded }: Projection,
  isSingle: boolean,
): boolean {
  const names = (list: readonly string[] | undefined) =>
    list?.some(name => /(^|:)members$/i.test(name.split('.', 1).join(''))) === true
  if (attributes !== undefined) return names(attributes)
  return isSingle && !names(excluded)
}

export function versionOf({ createdAt, revision }: Group): string {
  return `W/"${createdAt.toString(36)}.${revision}"`
}

export function locationOf({ id }: Group, base: string): string {
  return `${base}/Groups/${id}`
}

interface Shows {
  readonly base: string
  readonly call: Call
  /** Undefined: they are not wanted. Nobody is an empty list: authentik fills no group that names none. */
  readonly members: readonly Account[] | undefined
}

/** The group as a resource; resolves once its members are shown, many at a time. */
export async function groupResource(
  group: Group,
  { base, call, members }: Shows,
): Promise<Resource> {
  const shown =
    members &&
    (await mapInPieces(
      members,
      ({ sub }) => ({
        value: sub,
        $ref: `${base}/Users/${encodeURIComponent(sub)}`,
        type: 'User',
      }),
      PIECE,
    ))
  const externalId = group.externalIds[externalIdOf(call.caller.actor)]
  return {
    schemas: [GROUP],
    id: group.id,
    ...(externalId !== undefined && { externalId }),
    displayName: group.displayName,
    role: group.role,
    ...(shown !== undefined && { members: shown }),
    meta: {
      resourceType: 'Group',
      created: new Date(group.createdAt).toISOString(),
      lastModified: new Date(group.updatedAt).toISOString(),
      location: locationOf(group, base),
      version: versionOf(group),
    },
  }
}

export function readGroup(body: unknown): Resource {
  const named = member(body, 'schemas')
  if (!Array.isArray(named) || !named.includes(GROUP)) {
    throw scimError('invalidSyntax', `schemas must name ${GROUP}`)
  }
  return Object(body)
}

/**
 * What a whole group asks for, without its members.
 *
 * @throws OAuthError invalidValue
 */
export function requestIn({ caller }: Call, wanted: Resource) {
  const displayName = member(wanted, 'displayName')
  const externalId = member(wanted, 'externalId') ?? null
  if (typeof displayName !== 'string') {
    throw scimError('invalidValue', 'displayName must be a text')
  }
  if (
    externalId !== null &&
    (typeof externalId !== 'string' ||
      externalId.length > 255 ||
      !externalId.isWellFormed())
  ) {
    throw scimError('invalidValue', 'externalId must be a text of 255 characters at most')
  }
  return { displayName, externalId: [externalIdOf(caller.actor), externalId] as const }
}

/** What of it is not so already: what somebody else changes at once stays theirs. */
export function changesIn(call: Call, group: Group, wanted: Resource): GroupRequest {
  const { displayName, externalId } = requestIn(call, wanted)
  const [name, value] = externalId
  return {
    ...(displayName !== group.displayName && { displayName }),
    ...(value !== (group.externalIds[name] ?? null) && { externalId }),
  }
}

export function subsIn(members: unknown): ReadonlySet<string> {
  const items: readonly unknown[] = Array.isArray(members) ? members : []
  if (members !== undefined && !Array.isArray(members)) {
    throw scimError('invalidValue', 'members must be a list')
  }
  if (items.length > MOST_MEMBERS) {
    throw scimError('tooMany', `there may be ${MOST_MEMBERS} members at most`)
  }
  return new Set(
    items.map(item => {
      const value = member(item, 'value')
      if (typeof value === 'string') return value
      throw scimError('invalidValue', 'each of members needs a value: the id of a user')
    }),
  )
}
