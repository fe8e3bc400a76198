// What a group becomes, and whether it may.
import type { Group } from '../../stores/ports/documents/groups.ts'
import { isRole } from '../roles.ts'

/** What a group is to be; what isn't named stays. */
export interface GroupRequest {
  readonly displayName?: string
  /** Under which name it is kept, and the value; null: none. */
  readonly externalId?: readonly [name: string, value: string | null]
}

/** A group with what is asked for. */
export function nextOf(
  group: Group,
  { displayName, externalId }: GroupRequest,
  at: number,
): Group {
  const [name, value] = externalId ?? []
  const { externalIds } = group
  const kept = Object.entries(externalIds).filter(([key]) => key !== name)
  const given = name === undefined || value == null ? [] : [[name, value] as const]
  return {
    ...group,
    displayName: displayName ?? group.displayName,
    externalIds:
      name === undefined ? externalIds : Object.fromEntries([...kept, ...given]),
    updatedAt: Math.max(at, group.updatedAt),
    revision: group.revision + 1,
  }
}

/**
 * Why a group can't be among all. A name may be that of the role of a group that is called otherwise by now.
 */
export function faultOf(
  group: Group,
  all: readonly Group[],
): 'role_invalid' | 'name_taken' | 'external_id_taken' | undefined {
  if (!isRole(group.displayName)) return 'role_invalid'
  const others = all.filter(({ id }) => id !== group.id)
  const fold = (text: string) => text.normalize('NFC').toLowerCase()
  const isTaken = others.some(
    ({ displayName, role }) =>
      fold(displayName) === fold(group.displayName) || role === group.role,
  )
  if (isTaken) return 'name_taken'
  const isExternalTaken = Object.entries(group.externalIds).some(([name, value]) =>
    others.some(({ externalIds }) => externalIds[name] === value),
  )
  return isExternalTaken ? 'external_id_taken' : undefined
}
