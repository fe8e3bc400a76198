// The subjects of accounts in PostgreSQL. Ending sessions asks the store of the sessions alone, so that it
// works while PostgreSQL is away; what an account may do changes in both.
import type { BuiltInDirectory } from '../../ports/directory.ts'
import type { Subjects } from '../../ports/subjects.ts'
import { createChangeAccount, type ChangeParts } from './change-account.ts'
import { subjectOf } from './settle.ts'

/** Makes the subjects. */
export function createPostgresSubjects(
  parts: ChangeParts,
  { byTag }: Pick<BuiltInDirectory, 'byTag'>,
): Subjects {
  const { subjects } = parts.sessions
  const change = createChangeAccount(parts)
  return {
    ...subjects,
    async byTag(tag) {
      const subject = await subjects.byTag(tag)
      if (subject !== undefined) return subject
      // It may have lost it.
      const account = await byTag(tag)
      return account && subjectOf(account)
    },
    async setDisabled(tag, disabled) {
      const end = disabled ? () => subjects.endSessions(tag) : undefined
      return (await change({ tag, set: { disabled }, end })).kind === 'changed'
    },
    async setAccess(tag, { scopes, roles }) {
      return (await change({ tag, set: { scopes, roles } })).kind === 'changed'
    },
  }
}
