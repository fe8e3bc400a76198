// A writer of an account in Redis that dies before any of its steps: the account is whole, and what it hasn't
// got is free for others after a while.
import t, { type Test } from 'tap'
import type { UniqueValue } from '../../src/stores/ports/directory.ts'
import { createRedisDirectory } from '../../src/stores/redis/people/directory.ts'
import { createRedisWorld, crossedAt } from '../support/redis-world.ts'
import { startRedis } from '../support/redis.ts'
import { someAccount } from '../support/stores.ts'

/** Longer than the claim of a writer who died holds others off. */
const OVERDUE_MS = 11_000
const MOST_STEPS = 9
const ALL = ['a', 'b']

const server = await startRedis()
t.teardown(() => server.stop())

const email = (value: string): UniqueValue => ({ attribute: 'email', value })

/** Changes an account by somebody who dies before that durable step; gives what lies behind it. */
async function changedHalf(
  t: Test,
  { from, to, step, name }: { from: string[]; to: string[]; step: number; name: string },
) {
  const world = createRedisWorld(t, server.url)
  const { adapter, directory } = world
  const account = someAccount('me', { uniqueValues: from.map(email) })
  await directory.add(account)
  await directory.settle()
  let isDead = false
  const dying = createRedisDirectory(
    crossedAt(adapter, step, () => {
      isDead = true
      throw new Error('dead')
    }),
  )
  const change = { tag: account.tag, version: 0, attributes: {}, emailVerified: false }
  const uniqueValues = to.map(email)
  const renamed = { name, foldedName: name }
  await dying
    .change({ ...change, ...renamed, uniqueValues, endsSessions: false })
    .catch(() => {})
  return { ...world, account, isDead }
}

const CHANGES = [
  [['a'], ['b']],
  [['a'], []],
  [[], ['b']],
  [['a'], ['a', 'b']],
  [['a'], ['a']],
  [['a', 'b'], ['b']],
] satisfies Array<[string[], string[]]>

for (const [from, to] of CHANGES) {
  for (const name of ['name of me', 'other']) {
    t.test(`from ${from} to ${to}, as ${name}`, async t => {
      for (let step = 1; step <= MOST_STEPS; step++) {
        const world = await changedHalf(t, { from, to, step, name })
        const { directory, clock, account } = world
        const found = await directory.uniqueValuesOf(account.tag)
        const has = found.map(({ value }) => value)
        const foldedName = (await directory.byTag(account.tag))?.foldedName
        for (const value of has) {
          t.match(await directory.byValue(email(value)), { sub: 'me' }, `step ${step}`)
        }
        const emails = await directory.search({
          attribute: 'email',
          prefix: '',
          limit: 9,
        })
        t.same(
          emails.map(({ text }) => text),
          has,
        )
        t.match(await directory.search({ prefix: '', limit: 9 }), [{ text: foldedName }])
        clock.advance(OVERDUE_MS)
        const free = ALL.filter(value => !has.includes(value))
        const heir = someAccount('heir', {
          foldedName: foldedName === 'other' ? account.foldedName : 'other',
          uniqueValues: free.map(email),
        })
        t.equal(await directory.add(heir), 'added', `step ${step}: what is left is free`)
        for (const value of has) {
          const thief = someAccount('thief', { uniqueValues: [email(value)] })
          t.match(await directory.add(thief), { kind: 'value_taken' })
        }
        if (!world.isDead) break
      }
    })
  }
}
