// The index of a user's sessions in Redis: a list is one step and no walk, and where the index can't be whole
// (sessions of an earlier release, a back-up, too many) nothing is missing from the list.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createRedisStore, type RedisStore } from '../../src/stores/redis/store.ts'
import { NO_DEVICE, type FamilyRef, type Login } from '../../src/stores/ports/families.ts'
import { createHandClock, type HandClock } from '../support/clock.ts'
import { startRedis } from '../support/redis.ts'
import { addSomeone, presented, signIn } from '../support/stores.ts'
import { PATIENT } from '../support/until.ts'

const DAY = 86_400_000
const INDEX = 'sids'
/** The three empty texts behind a record without a device. */
const NO_DEVICE_BYTES = 3

interface World {
  readonly store: RedisStore
  readonly clock: HandClock
}

for (const cluster of [false, true]) {
  t.test(`the index of sessions in ${cluster ? 'Redis Cluster' : 'Redis'}`, async t => {
    const server = await startRedis({ cluster })
    const clock = createHandClock()
    const store = await createRedisStore({ ...PATIENT, url: server.url, clock })
    t.teardown(async () => {
      await store.close()
      await server.stop()
    })
    const world = { store, clock }
    await t.test('lists without a walk', t => oneStepTest(t, world))
    await t.test('sessions of an earlier release', t => earlierTest(t, world))
    await t.test('a refresh of one of them', t => refreshedTest(t, world))
    await t.test('a login while a walk is made', t => meanwhileTest(t, world))
    await t.test('dead sessions leave it', t => deadTest(t, world))
    await t.test('a clock that is set back', t => clockBackTest(t, world))
    await t.test('has a bound', t => boundTest(t, world))
    await t.test('is not believed after a restore', t => restoreTest(t, world))
  })
}

const userKey = (tag: string) => `lk:{${tag}}:u`

const indexOf = ({ store }: World, tag: string) => store.client.hget(userKey(tag), INDEX)

/** How often a store was walked over, and scripts were run, meanwhile. */
async function countCalls(
  { store: { client } }: World,
  work: () => Promise<unknown>,
): Promise<{ walks: number; scripts: number }> {
  await client.call('CONFIG', ['RESETSTAT'])
  await work()
  const stats = await client.info('commandstats')
  const calls = (name: string) =>
    Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  return { walks: calls('scan'), scripts: calls('evalsha') }
}

/**
 * A login at a server of an earlier release: it leaves the index as it is, and its record ends before the
 * device.
 */
async function signInAsBefore(
  world: World,
  tag: string,
  changes: Partial<Login> = {},
): Promise<FamilyRef> {
  const { store, clock } = world
  const before = await indexOf(world, tag)
  clock.advance(1)
  const ref = await signIn(store, tag, changes)
  const key = `lk:{${tag}}:f:${ref.sid}`
  const record = await store.client.getBuffer(key)
  await store.client.set(key, record?.subarray(0, -NO_DEVICE_BYTES) ?? '', 'KEEPTTL')
  if (before === null) await store.client.hdel(userKey(tag), INDEX)
  else await store.client.hset(userKey(tag), INDEX, before)
  return ref
}

async function listed({ store }: World, tag: string): Promise<string[]> {
  return (await store.families.list(tag)).map(({ sid }) => sid).sort()
}

async function oneStepTest(t: Test, world: World): Promise<void> {
  const { store, clock } = world
  const tag = await addSomeone(store)
  t.same(await countCalls(world, () => listed(world, tag)), { walks: 0, scripts: 1 })
  const refs: FamilyRef[] = []
  for (let login = 0; login < 5; login++) {
    clock.advance(1000)
    refs.push(await signIn(store, tag, { idleMs: DAY, absoluteMs: (9 - login) * DAY }))
  }
  const calls = await countCalls(world, async () => {
    t.same(await listed(world, tag), refs.map(({ sid }) => sid).sort())
  })
  t.same(calls, { walks: 0, scripts: 1 })
  t.same(
    await countCalls(world, () => signIn(store, tag)),
    { walks: 0, scripts: 1 },
    'a login makes no second round trip for it',
  )
  await store.directory.remove(tag)
  t.same(await listed(world, tag), [])
}

async function earlierTest(t: Test, world: World): Promise<void> {
  const tag = await addSomeone(world.store)
  const refs = [await signInAsBefore(world, tag), await signInAsBefore(world, tag)]
  refs.push(await signIn(world.store, tag))
  t.equal(await indexOf(world, tag), null, 'nobody knows all of them')
  const sids = () => refs.map(({ sid }) => sid).sort()
  await Promise.all([1, 2, 3].map(async () => t.same(await listed(world, tag), sids())))
  t.match(await countCalls(world, () => listed(world, tag)), { walks: 0 }, 'healed')

  refs.push(await signInAsBefore(world, tag))
  refs.push(await signIn(world.store, tag))
  t.same(await listed(world, tag), sids(), 'both releases together')
  refs.push(await signIn(world.store, tag))
  const calls = await countCalls(world, async () => {
    t.same(await listed(world, tag), sids())
  })
  t.match(calls, { walks: 0 }, 'and healed again')
  for (const ref of refs) {
    t.equal(await world.store.families.end({ ...ref, clientId: null }), 'ended')
  }
  t.same(await listed(world, tag), [])
}

async function refreshedTest(t: Test, world: World): Promise<void> {
  const { store } = world
  const tag = await addSomeone(store)
  const old = await signInAsBefore(world, tag)
  t.match(await store.families.rotate(presented(old, 1)), { kind: 'rotated' })
  t.equal(await indexOf(world, tag), null, 'one session is not all of them')
  await listed(world, tag)
  // Its end is before that of another one, so that the account does not show it.
  const short = await signInAsBefore(world, tag, { absoluteMs: DAY })
  t.match(await store.families.rotate(presented(short, 1)), { kind: 'rotated' })
  const calls = await countCalls(world, async () => {
    t.same(await listed(world, tag), [old.sid, short.sid].sort())
  })
  t.match(calls, { walks: 0 })
  const index = await indexOf(world, tag)
  t.match(await store.families.rotate(presented(short, 2)), { kind: 'rotated' })
  t.equal(await indexOf(world, tag), index, 'once')
  for (const { device } of await store.families.list(tag)) t.same(device, NO_DEVICE)
}

async function meanwhileTest(t: Test, world: World): Promise<void> {
  const { store } = world
  const tag = await addSomeone(store)
  const first = await signInAsBefore(world, tag)
  const lastEnd = await store.client.hget(userKey(tag), 'lastEnd')
  // As a walk leaves it that has begun, and whose server has died.
  await store.client.hset(userKey(tag), INDEX, `${lastEnd}? `)
  const second = await signIn(store, tag)
  t.match(await indexOf(world, tag), `? ${second.sid}`, 'is collected')
  t.same(await listed(world, tag), [first.sid, second.sid].sort())
  t.notMatch(await indexOf(world, tag), /\?/, 'the next walk completes it')
}

async function deadTest(t: Test, world: World): Promise<void> {
  const { store, clock } = world
  const tag = await addSomeone(store)
  const keys: string[] = []
  for (let login = 0; login < 60; login++) {
    const ref = await signIn(store, tag, { idleMs: DAY })
    keys.push(`lk:{${tag}}:f:${ref.sid}`)
    if (login % 3 === 0) await store.families.end({ ...ref, clientId: null })
    clock.advance(DAY / 4)
    // As Redis does by its own clock.
    const idle = keys[login - 4]
    if (idle !== undefined) await store.client.del(idle)
  }
  const length = (await indexOf(world, tag))?.split(' ').length ?? 0
  t.ok(length > 1 && length < 10, `${length} parts after 60 logins, 3 alive`)
  await store.subjects.endSessions(tag)
  t.same(await listed(world, tag), [])
}

/** Then a session that was past its end lives again, and its owner can see it. */
async function clockBackTest(t: Test, world: World): Promise<void> {
  const { store, clock } = world
  for (const end of ['idleMs', 'absoluteMs'] as const) {
    const tag = await addSomeone(store)
    const first = await signIn(store, tag, { [end]: DAY })
    clock.advance(DAY)
    const second = await signIn(store, tag)
    t.same(await listed(world, tag), [second.sid])
    clock.advance(-1)
    t.same(await listed(world, tag), [first.sid, second.sid].sort(), end)
    t.match(await store.families.rotate(presented(first, 1)), { kind: 'rotated' })
  }
}

async function boundTest(t: Test, world: World): Promise<void> {
  const { store } = world
  const tag = await addSomeone(store)
  for (let login = 0; login < 256; login++) await signIn(store, tag)
  t.match(await countCalls(world, () => listed(world, tag)), { walks: 0 }, '256')
  await signIn(store, tag)
  t.equal(await indexOf(world, tag), null)
  t.equal((await listed(world, tag)).length, 257, 'none is missing')
  t.equal((await listed(world, tag)).length, 257, 'and none the next time')
}

async function restoreTest(t: Test, world: World): Promise<void> {
  const { store } = world
  const tag = await addSomeone(store)
  const refs = [await signIn(store, tag)]
  // A back-up reads the account first: a login comes in between.
  const early = await indexOf(world, tag)
  refs.push(await signIn(store, tag))
  await store.client.hset(userKey(tag), INDEX, String(early))
  const file = join(t.testdir(), 'backup')
  await store.backups.save(file)
  await store.backups.restore(file, { replace: true })
  t.same(await listed(world, tag), refs.map(({ sid }) => sid).sort())
}
