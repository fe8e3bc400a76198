// Why a group isn't added, changed or removed, as SCIM says it (RFC 7644 §3.12).
import { OAuthError } from '../../../../oauth/errors.ts'
import {
  noResource,
  otherVersion,
  scimError,
  type ScimType,
} from '../../../../scim/errors.ts'
import type { Group } from '../../../../stores/ports/documents/groups.ts'
import type { GroupFault, GroupOutcome } from '../../../../users/groups/groups.ts'
import type { MemberRefused } from '../../../../users/groups/set-roles.ts'
import { ROLE_RULE } from '../../../../users/roles.ts'
import { userError } from '../users/user-errors.ts'

const WORDS: Readonly<
  Record<Exclude<GroupFault, 'group_unknown' | 'superseded'>, readonly [ScimType, string]>
> = {
  role_invalid: ['invalidValue', `displayName is the name of a role here: ${ROLE_RULE}`],
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

/**
 * The group that came of it.
 *
 * @throws OAuthError of `groupError`; 409 that names a member who can't be changed
 */
export function done(outcome: GroupOutcome): Group {
  if (outcome.kind === 'done') return outcome.group
  throw outcome.reason === 'member_refused'
    ? memberError(outcome)
    : groupError(outcome.reason)
}

// Success would say that whoever has left has lost the role.
function memberError({ sub, refused }: MemberRefused): OAuthError {
  const { code, message } = userError(refused)
  return new OAuthError(409, code === 'uniqueness' ? code : 'conflict', {
    description: `the user ${sub} can't be changed: ${message}`,
    reason: 'http_409',
  })
}

/** The error that answers a refusal. */
export function groupError(reason: GroupFault): OAuthError {
  if (reason === 'group_unknown') return noResource()
  return reason === 'superseded' ? otherVersion() : scimError(...WORDS[reason])
}
