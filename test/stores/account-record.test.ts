// How an account is written in Redis.
import t from 'tap'
import { writeFields } from '../../src/stores/redis/people/account-record.ts'

t.test('what an account says is written, and nothing else', async t => {
  const members: Parameters<typeof writeFields>[0] = { name: 'alice', sessionsEpoch: 3 }
  for (const member of ['roles', 'tag']) Reflect.set(members, member, undefined)
  t.same(writeFields(members), ['name', 'alice', 'epoch', 3])
})
