// A Redis that lost its data and gets it back: the doubt ends by itself where nothing can be missed.
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { FamilyRef } from '../../src/stores/ports/families.ts'
import {
  markAfter,
  markOf,
  newMark,
} from '../../src/stores/redis/safety/identity-marks.ts'
import { createRedisStore, type RedisStore } from '../../src/stores/redis/store.ts'
import { faultOf, LOST, redisOf, serverOn } from '../support/lost-store.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'

const HOUR = 3_600_000
async function sessionOn(store: RedisStore): Promise<FamilyRef> {
  const account = someAccount('owner')
  await store.directory.add(account)
  return signIn(store, account.tag)
}

/** A Redis that keeps snapshots in its folder, and can be stopped and started anew. */
async function restorable(t: Test): Promise<{
  readonly redis: TestRedis
  /** Takes the back-up. */
  backUp(store: RedisStore): Promise<void>
  /** Restarts the server with the back-up in place of what it had. */
  restore(): Promise<void>
}> {
  const dir = t.testdir()
  const [snapshot, copy] = [join(dir, 'dump.rdb'), join(dir, 'copy.rdb')]
  let redis = await redisOf(t, ['--dir', dir])
  return {
    redis,
    async backUp(store) {
      await store.client.save()
      await copyFile(snapshot, copy)
    },
    async restore() {
      await redis.stop()
      await copyFile(copy, snapshot)
      redis = await redisOf(t, ['--dir', dir], redis.port)
    },
  }
}

t.test(
  'a back-up that is restored while everything is refused ends the doubt',
  async t => {
    const { redis, backUp, restore } = await restorable(t)
    const [here, there] = [await serverOn(t, redis), await serverOn(t, redis)]
    const ref = await sessionOn(here)
    await backUp(here)
    await here.accessTokens.revoke({ ...ref, jti: 'dead', expiresAt: Date.now() + HOUR })
    await here.client.flushall()
    t.ok(await until(() => [here, there].every(({ condition }) => condition().isLost)))
    const fresh = await serverOn(t, redis)
    t.equal(fresh.condition().isLost, true, 'one that was started since knows, too')
    await here.client.flushall()
    t.ok(await until(async () => (await here.lossEndsInMs()) !== undefined), 'lost again')
    await restore()
    const all = [here, there, fresh]
    t.ok(
      await until(() =>
        all.every(store => {
          const { isLost, isReached } = store.condition()
          return isReached && !isLost
        }),
      ),
      'on every server',
    )
    t.equal(await here.lossEndsInMs(), undefined)
    t.match(await there.families.rotate(presented(ref, 1)), { kind: 'rotated' })
    t.match(
      await there.accessTokens.check({ ...ref, jti: 'dead' }),
      { reason: 'token_revoked' },
      'what was revoked since the back-up is dead',
    )
  },
)

t.test(
  'a back-up that is restored when others have logged in since is a loss',
  async t => {
    const { redis, backUp, restore } = await restorable(t)
    const store = await serverOn(t, redis)
    await sessionOn(store)
    await backUp(store)
    await store.client.flushall()
    t.ok(await until(() => store.condition().isLost))
    await store.acceptLoss()
    t.ok(await until(() => !store.condition().isLost))
    const since = await sessionOn(store)
    await restore()
    t.ok(await until(() => store.condition().isLost && store.condition().isReached))
    t.match(await faultOf(() => store.families.rotate(presented(since, 1))), LOST)
  },
)

t.test('what was revoked is put back before anything is answered', async t => {
  const store = await serverOn(t, await redisOf(t))
  const { client } = store
  const ref = await sessionOn(store)
  const names = await client.keys('*')
  const saved = await Promise.all(
    names.map(async name => [name, await client.dumpBuffer(name)] as const),
  )
  const dead = { ...ref, jti: 'dead' }
  await store.accessTokens.revoke({ ...dead, expiresAt: Date.now() + HOUR })
  await client.flushall()
  t.ok(await until(() => store.condition().isLost))
  // At once and on the same connection, without what the server has put back meanwhile.
  const step = client.multi().flushall()
  for (const [name, bytes] of saved) step.restore(name, 0, bytes)
  t.equal((await step.exec())?.length, names.length + 1)
  let answer: unknown
  const ask = async () => {
    answer ??= await store.accessTokens.check(dead).catch(() => undefined)
  }
  await until(async () => {
    for (let times = 0; times < 100; times++) await ask()
    return answer !== undefined
  })
  t.match(answer, { reason: 'token_revoked' })
})

/** The marks of the master that loses its data, and the one that is read for all of them. */
const LOST_MARKS = Array.from({ length: 24 }, (_, place) => `lk:epoch:${40 + place}`)
const LAST_MARK = 'lk:epoch:63'

type View = (mark: string) => string | null

/** Lets a server see those marks instead of the store's own; undefined: the store's own again. */
function viewOf({ client }: RedisStore): (view: View | undefined) => void {
  const get = client.get.bind(client)
  let shown: View | undefined
  client.get = async name => (shown === undefined ? get(name) : shown(String(name)))
  return view => {
    shown = view
  }
}

t.test('in a cluster every master that was lost has to come back', async t => {
  const redis = await startRedis({ cluster: true })
  t.teardown(() => redis.stop())
  const [found, told] = [await serverOn(t, redis), await serverOn(t, redis)]
  const showTold = viewOf(told)
  const mark = (index: number) => `lk:epoch:${index}`
  const before = String(await found.client.get(mark(0)))
  const put = async (from: number, to: number) => {
    for (let index = from; index < to; index++) {
      await found.client.set(mark(index), before)
    }
  }
  showTold(() => before)
  // At once, as a master loses them: a server that looked half-way would find two losses.
  await Promise.all(LOST_MARKS.map(name => found.client.del(name)))
  // What came back before the loss is written down would be overwritten.
  t.ok(await until(async () => (await found.client.exists(LAST_MARK)) === 1))
  showTold(undefined)
  t.ok(await until(() => [found, told].every(({ condition }) => condition().isLost)))
  const text = await found.client.get(mark(0))
  await put(40, 50)
  // Rewritten by the server that knows what is missing.
  t.ok(await until(async () => (await found.client.get(mark(45))) === text))
  t.type(await found.lossEndsInMs(), 'number', 'half of it is not enough')
  await put(50, 64)
  t.ok(await until(() => [found, told].every(({ condition }) => !condition().isLost)))
})

/** What the second server sees while the first one finds the loss. */
const SECOND_VIEWS: Readonly<Record<string, (before: string) => View>> = {
  'is late': before => () => before,
  'finds it at the same moment': before => mark =>
    LOST_MARKS.includes(mark) ? null : before,
}

for (const [when, secondView] of Object.entries(SECOND_VIEWS)) {
  t.test(`only the finder of a loss takes marks back, where another ${when}`, async t => {
    const redis = await startRedis({ cluster: true })
    t.teardown(() => redis.stop())
    const [finder, other] = [await serverOn(t, redis), await serverOn(t, redis)]
    const [showFinder, showOther] = [viewOf(finder), viewOf(other)]
    const operator = await createRedisStore({ ...PATIENT, url: redis.url })
    t.teardown(() => operator.close())
    const { client } = operator
    const before = String(await client.get(LAST_MARK))
    // There is no key ring: a server that reads it looks whether it was lost.
    const otherLooks = () => faultOf(() => other.keys.load())

    for (const show of [showFinder, showOther]) show(() => before)
    for (const mark of LOST_MARKS) await client.del(mark)
    showFinder(undefined)
    t.ok(await until(async () => (await client.exists(LAST_MARK)) === 1))
    const after = String(await client.get(LAST_MARK))
    showOther(secondView(before))
    await otherLooks()
    showOther(undefined)
    t.match(await otherLooks(), LOST)

    showFinder(() => after)
    for (const mark of LOST_MARKS) await client.set(mark, before)
    t.match(await otherLooks(), LOST)
    t.equal(await client.get(LAST_MARK), before, "the other can't tell what is missing")
    t.type(await operator.lossEndsInMs(), 'number')
    showFinder(undefined)
    t.ok(await until(() => [finder, other].every(({ condition }) => !condition().isLost)))
    t.equal(await client.get(LAST_MARK), after)
  })
}

t.test('a mark names eight of those before it', async t => {
  const first = newMark('')
  t.match(first, { id: /^\S{16}$/, before: ['-'] })
  let last = first
  const ids = [first.id]
  for (let i = 0; i < 9; i++) {
    last = newMark(`${last.text} ${first.text}`)
    ids.unshift(last.id)
  }
  t.same(last.before, ids.slice(1, 9))
  t.same(markOf(last.text), last)
  t.same(markOf(markAfter(last.text)).before, ids.slice(0, 8))
})
