// The roles of somebody in an LDAP directory: of their groups those that the configuration names.
import type { Entry } from 'ldapts'
import { textsOf } from './entry.ts'

/** What the configuration says of groups. */
export interface GroupSettings {
  /** The attribute of a user's entry that names its groups, such as `memberOf`. */
  readonly attribute?: string | undefined
  /** Where groups are searched, by `filter`; undefined: nowhere. */
  readonly base?: string | undefined
  /** Finds the groups of `{dn}`. */
  readonly filter: string
  /** The DN of a group → a role. */
  readonly roles: Readonly<Record<string, string>>
}

/** The roles of those groups, each once. */
export function rolesOf(
  groups: readonly string[],
  { roles }: Pick<GroupSettings, 'roles'>,
): readonly string[] {
  const named = new Map(Object.entries(roles).map(([dn, role]) => [foldDn(dn), role]))
  return [...new Set(groups.flatMap(group => named.get(foldDn(group)) ?? []))]
}

/** The groups that an entry names itself. */
export function groupsIn(entry: Entry, { attribute }: GroupSettings): readonly string[] {
  return attribute === undefined ? [] : textsOf(entry, attribute)
}

/** A DN as it is compared: without case, and without blanks that say nothing. */
function foldDn(dn: string): string {
  return dn.toLowerCase().replaceAll(/\s*([,=+])\s*/g, '$1')
}
