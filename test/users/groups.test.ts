// Groups where many write at once, and accounts that change under a change: against stores that do as told.
import t from 'tap'
import { systemRandom } from '../../src/base/random.ts'
import type { Account } from '../../src/stores/ports/directory.ts'
import { createChangeAccount } from '../../src/users/change-account.ts'
import { createGroups } from '../../src/users/groups/groups.ts'
import type { Group } from '../../src/stores/ports/documents/groups.ts'
import { NO_ATTRIBUTES, someAccount } from '../support/stores.ts'

const account: Account = {
  ...someAccount('somebody'),
  sessionsEpoch: 1,
  createdAt: 0,
  updatedAt: 0,
  version: 0,
}

const groupsOver = (groups: readonly Group[], saves: boolean, random = systemRandom) =>
  createGroups({
    groups: { load: async () => ({ version: 1, groups }), save: async () => saves },
    accounts: {
      bySub: async () => undefined,
      byValue: async () => undefined,
      change: async (_sub, decide) => {
        t.strictSame(decide(account), {}, 'who has left already is left alone')
        return { kind: 'refused', reason: 'user_unknown' }
      },
      search: async () => [],
    },
    emit() {},
    random,
    now: async () => 0,
  })

const group = (id: string): Group => ({
  id,
  role: id,
  displayName: id,
  externalIds: {},
  createdAt: 0,
  updatedAt: 0,
  revision: 0,
})

t.test('groups', async t => {
  const refused = (reason: string) => ({ kind: 'refused', reason })
  const busy = groupsOver([group('a')], false)
  t.match(await busy.add({ displayName: 'b' }), refused('changed_meanwhile'))
  t.match(await busy.change('a', {}), refused('changed_meanwhile'))
  t.match(await busy.remove('a'), refused('changed_meanwhile'))
  const many = groupsOver(
    Array.from({ length: 1000 }, (_, index) => group(`g${index}`)),
    true,
  )
  t.match(await many.add({ displayName: 'b' }), refused('too_many_groups'))
  const none = groupsOver([], true)
  t.match(await none.change('a', {}), refused('group_unknown'))
  t.match(await none.remove('a'), refused('group_unknown'))
  t.match(
    await none.setMembers('a', { joining: [], leaving: [] }),
    refused('group_unknown'),
  )
  const one = groupsOver([group('a')], true)
  const joining = { joining: ['x'], leaving: [] }
  t.match(await one.setMembers('a', joining), refused('member_unknown'))
  t.match(await one.add({ displayName: 'b' }), { kind: 'done' })
  t.match(await one.setMembers('a', { joining: [], leaving: ['x'] }), { kind: 'done' })
})

t.test('an account that changes, or goes, under a change', async t => {
  const changeOver = (
    outcomes: Array<'superseded' | 'user_unknown' | 'changed'>,
    found: Array<Account | undefined>,
  ) =>
    createChangeAccount({
      findLogin: async () => undefined,
      directory: {
        byTag: async () => (found.length > 1 ? found.shift() : found[0]),
        uniqueValuesOf: async () => [],
        change: async () => ({
          kind: (outcomes.length > 1 ? outcomes.shift() : outcomes[0]) ?? 'superseded',
        }),
      },
      hasher: { hash: async () => 'x' },
      emit() {},
      checkNewPassword: async () => undefined,
      ...NO_ATTRIBUTES,
    })
  const off = () => ({ disabled: true })
  t.match(await changeOver(['superseded'], [account])('x', off), {
    reason: 'changed_meanwhile',
  })
  t.match(await changeOver(['user_unknown'], [account])('x', off), {
    reason: 'user_unknown',
  })
  t.match(await changeOver(['changed'], [account, undefined])('x', off), {
    reason: 'user_unknown',
  })
  t.match(await changeOver(['superseded', 'changed'], [account])('x', off), {
    kind: 'done',
  })
  t.match(await changeOver(['changed'], [account])('x', () => ({ roles: ['a b'] })), {
    reason: 'role_invalid',
  })
  t.match(
    await changeOver(['changed'], [account])('x', () => ({ emailVerified: true })),
    { reason: 'attribute_invalid' },
  )
  t.match(
    await changeOver(['changed'], [{ ...account, disabled: true }])('x', () => ({
      disabled: false,
      scopes: [],
    })),
    { kind: 'done' },
  )
})

t.test('a group whose members are refused stays, and its removal ends', async t => {
  const pages: Array<string | undefined> = []
  const groupsOf = (reason: 'directory_owns' | 'changed_meanwhile' | 'user_unknown') =>
    createGroups({
      groups: {
        load: async () => ({ version: 1, groups: [group('a')] }),
        save: async () => true,
      },
      accounts: {
        bySub: async () => account,
        byValue: async () => account,
        change: async () => ({ kind: 'refused', reason }),
        search: async ({ after, limit }) => {
          pages.push(after)
          const from = Number(after?.split(' ').at(-1) ?? 0)
          return Array.from({ length: pages.length > 2 ? 1 : limit }, (_, index) => ({
            account: { ...account, sub: `sub ${from + index + 1}` },
            text: 'x',
          }))
        },
      },
      emit() {},
      random: systemRandom,
      now: async () => 0,
    })
  const theirs = groupsOf('directory_owns')
  const refusal = { kind: 'refused', reason: 'member_of_directory' }
  t.match(await theirs.remove('a'), refusal)
  t.equal(pages.length, 1, 'the first refusal ends it')
  const joins = { joining: ['x'], leaving: [] }
  t.match(await theirs.setMembers('a', joins), refusal)
  t.match(await theirs.setMembers('a', { joining: [], leaving: ['x'] }), refusal)
  t.match(await groupsOf('changed_meanwhile').setMembers('a', joins), {
    reason: 'member_refused',
    sub: 'x',
    refused: { reason: 'changed_meanwhile' },
  })
  pages.length = 0
  t.match(await groupsOf('user_unknown').remove('a'), { kind: 'done' }, 'who has gone')
  t.equal(pages.length, 3)
  t.match(
    pages,
    [undefined, / sub 500$/, / sub 1000$/],
    'each page is behind the one before',
  )
})

t.test(
  'an id never begins with a dash: command lines would take it for an option',
  async t => {
    const ones = { ...systemRandom, bytes: (size: number) => Buffer.alloc(size, 0xfb) }
    const added = await groupsOver([], true, ones).add({ displayName: 'b' })
    t.match(added, { group: { id: /^[0-9a-f]{24}$/ } })
  },
)
