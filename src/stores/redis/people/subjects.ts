// The subjects in Redis: each lies in its account's record.
import type { Subjects } from '../../ports/subjects.ts'
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
      const { foldedName: _, passwordHash: __, createdAt: ___, ...subject } = account
      return subject
    },
    setDisabled: (tag, disabled) =>
      change({ tag, set: { disabled }, endsSessions: disabled }),
    setAccess: (tag, { scopes, roles }) =>
      change({ tag, set: { scopes, roles }, endsSessions: false }),
    endSessions: tag => change({ tag, endsSessions: true }),
  }
}
