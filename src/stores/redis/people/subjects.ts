// The subjects in Redis: each lies in its account's record.
import type { Account } from '../../ports/directory.ts'
import type { Subject, Subjects } from '../../ports/subjects.ts'
import type { RedisAdapter } from '../adapter.ts'
import { createAccountReader } from './account-reader.ts'
import { createChangeAccount } from './change-account.ts'

export function createRedisSubjects(adapter: RedisAdapter): Subjects {
  const reader = createAccountReader(adapter)
  const change = createChangeAccount(adapter)
  return {
    async byTag(tag) {
      const account = await reader.byTag(tag)
      if (account === undefined) return undefined
      return subjectOf(account)
    },
    setDisabled: (tag, disabled) =>
      change({ tag, set: { disabled }, endsSessions: disabled }),
    setAccess: (tag, { scopes, roles }) =>
      change({ tag, set: { scopes, roles }, endsSessions: false }),
    endSessions: tag => change({ tag, endsSessions: true }),
    endOtherSessions: (tag, sid) =>
      change({
        tag,
        endsSessions: true,
        keeps: sid,
      }),
  }
}

function subjectOf({
  foldedName: _foldedName,
  passwordHash: _passwordHash,
  createdAt: _createdAt,
  updatedAt: _updatedAt,
  version: _version,
  pending: _pending,
  external: _external,
  ...subject
}: Account): Subject {
  return subject
}
