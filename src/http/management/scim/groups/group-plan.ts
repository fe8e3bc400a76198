// Which groups a filter means. All groups are read at once, so each part of a filter is checked of each; who
// belongs to one is said by the accounts' roles.
import { scimError } from '../../../../scim/errors.ts'
import type { Filter } from '../../../../scim/filter/filter.ts'
import { GROUP } from '../../../../scim/group/group-schema.ts'
import type { Group } from '../../../../stores/ports/documents/groups.ts'

/** What is known of a member that a filter names. */
export interface GroupView {
  /** The name under which the caller's `externalId` is kept. */
  readonly externalId: string
  /** The roles of the account of that `sub`; none where there is no such account. */
  readonly rolesOf: (sub: string) => Promise<readonly string[]>
}

type Check = (group: Group, view: GroupView) => boolean | Promise<boolean>

const fold = (text: string) => text.normalize('NFC').toLowerCase()

const CHECKS: Readonly<Record<string, (text: string) => Check>> = {
  'id eq': text => group => group.id === text,
  'displayname eq': text => group => fold(group.displayName) === fold(text),
  'displayname sw': text => group => fold(group.displayName).startsWith(fold(text)),
  'externalid eq': text => (group, view) => group.externalIds[view.externalId] === text,
  'members.value eq': text => async (group, view) =>
    (await view.rolesOf(text)).includes(group.role),
}

/**
 * What a filter asks of a group.
 *
 * @throws OAuthError invalidFilter
 */
export function planGroups(filter: Filter, within = ''): readonly Check[] {
  if (filter.kind === 'and') {
    return filter.filters.flatMap(each => planGroups(each, within))
  }
  if (filter.kind === 'values' && within === '') {
    return planGroups(filter.filter, `${filter.path.name}.`)
  }
  if (filter.kind !== 'compare') throw notRun(filter.kind)
  const { path, op, value } = filter
  const isCore = path.schema === undefined || path.schema === GROUP.toLowerCase()
  const sub = path.sub === undefined ? '' : `.${path.sub}`
  // `members` alone means its value (RFC 7644 §3.5.2).
  const whole = path.name === 'members' && sub === '' ? 'members.value' : path.name + sub
  const name = `${within}${whole} ${op}`
  const check = Object.hasOwn(CHECKS, name) ? CHECKS[name] : undefined
  if (!isCore || check === undefined || typeof value !== 'string') throw notRun(name)
  return [check(value)]
}

function notRun(what: string) {
  return scimError(
    'invalidFilter',
    `${what} is not run on groups: run are eq on id, displayName, externalId and members.value, sw on ` +
      'displayName, and these joined by and',
  )
}
