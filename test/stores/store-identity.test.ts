// A Redis that came back empty, or with data of another time: nothing is concluded from what it doesn't know,
// and revocations are put back.
import { setImmediate, setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { EMPTY_RING } from '../../src/stores/ports/documents/keys.ts'
import type { FamilyRef } from '../../src/stores/ports/families.ts'
import { StoreUnavailable } from '../../src/stores/ports/unavailable.ts'
import { createRedisKeys } from '../../src/stores/redis/redis-keys.ts'
import { markAfter } from '../../src/stores/redis/safety/identity-marks.ts'
import { createRevocations } from '../../src/stores/redis/safety/revocations.ts'
import { createStoreIdentity } from '../../src/stores/redis/safety/store-identity.ts'
import { createRedisStore, type RedisStore } from '../../src/stores/redis/store.ts'
import { createMetrics } from '../../src/observe/metrics/metrics.ts'
import { createStoreWatch } from '../../src/stores/watch.ts'
import { commandLine } from '../support/command-line.ts'
import { faultOf, LOST, redisOf, serverOn } from '../support/lost-store.ts'
import { startRedis } from '../support/redis.ts'
import { presented, signIn, someAccount } from '../support/stores.ts'
import { PATIENT, until } from '../support/until.ts'

const HOUR = 3_600_000

const { tag } = someAccount('owner')

async function sessionOn(store: RedisStore): Promise<FamilyRef> {
  await store.directory.add(someAccount('owner'))
  return signIn(store, tag)
}

/** What a client may ask for, about a family. */
const questions = (
  { families, accessTokens, directory }: RedisStore,
  ref: FamilyRef,
): Record<string, () => Promise<unknown>> => ({
  refresh: () => families.rotate(presented(ref, 1)),
  'introspection of a refresh token': () =>
    families.peek({ ...ref, generation: 1, reuseGraceMs: 10_000 }),
  'introspection of an access token': () => accessTokens.check({ ...ref, jti: 'a' }),
  revocation: () => families.end({ ...ref, clientId: 'mobile' }),
  login: () => directory.byName('name of owner'),
})

/** What is said of a session once nothing stands in the way of a verdict. */
async function verdictOf({ families }: RedisStore, ref: FamilyRef): Promise<unknown> {
  const verdicts: unknown[] = []
  await until(async () => verdicts.push(await families.rotate(presented(ref, 1))) > 0)
  return verdicts[0]
}

t.test(
  'FLUSHALL: not one answer is a verdict, on no server, until it is accepted',
  async t => {
    const redis = await redisOf(t)
    const [here, there] = [await serverOn(t, redis), await serverOn(t, redis)]
    const ref = await sessionOn(here)
    await here.client.flushall()
    // At once: nobody has looked yet.
    for (const [name, ask] of Object.entries(questions(here, ref))) {
      t.match(await faultOf(ask), LOST, name)
    }
    for (const [name, ask] of Object.entries(questions(there, ref))) {
      t.match(await faultOf(ask), LOST, `${name}, on the other server`)
    }
    t.same(
      [here, there].map(({ condition }) => condition().isLost),
      [true, true],
    )
    await t.resolves(here.probe(), 'it takes writes')
    const fresh = await serverOn(t, redis)
    t.match(
      await faultOf(() => fresh.families.rotate(presented(ref, 1))),
      LOST,
      'a server that starts meanwhile',
    )

    t.equal(await here.acceptLoss(), true)
    t.equal(await there.acceptLoss(), false, 'once')
    t.ok(
      await until(() =>
        [here, there, fresh].every(({ condition }) => !condition().isLost),
      ),
    )
    for (const store of [here, there, fresh]) {
      t.same(await verdictOf(store, ref), { kind: 'refused', reason: 'family_unknown' })
    }
  },
)

t.test(
  "another server's mark of a loss is no verdict before the loss is known",
  async t => {
    const { url } = await redisOf(t)
    const client = new Redis(url)
    t.teardown(() => client.disconnect())
    const identity = createStoreIdentity({
      link: {
        client,
        run: (work, recover) =>
          work(client).catch(
            (error: unknown) => recover?.(error) ?? Promise.reject(error),
          ),
      },
      keys: createRedisKeys('lk:'),
      lossPeriodMs: HOUR,
      restore: async () => {},
      report: () => {},
    })
    await identity.verify()
    const known = String(await client.get('lk:epoch:0'))
    await client.multi().set('lk:lost', 1).set('lk:epoch:0', markAfter(known)).exec()
    // The second question of a check comes when the new mark is known.
    const [asked, answered] = [Promise.withResolvers(), Promise.withResolvers()]
    const exists = client.exists.bind(client)
    let questions = 0
    Reflect.set(client, 'exists', async (name: string) => {
      questions += 1
      if (questions === 2) {
        asked.resolve(undefined)
        await answered.promise
      }
      return exists(name)
    })
    const checked = identity.verify()
    await asked.promise
    const doubted = faultOf(() => identity.doubt())
    await client.ping()
    await setImmediate()
    answered.resolve(undefined)
    await checked
    t.match(await doubted, LOST)
  },
)

t.test('many that ask at the same moment find one loss', async t => {
  const redis = await redisOf(t)
  const servers = await Promise.all(Array.from({ length: 3 }, () => serverOn(t, redis)))
  const [first] = servers
  if (first === undefined) throw new Error('no server')
  const ref = await sessionOn(first)
  await first.client.flushall()
  const faults = await Promise.all(
    servers.flatMap(store =>
      Array.from({ length: 20 }, () =>
        faultOf(() => store.families.rotate(presented(ref, 1))),
      ),
    ),
  )
  t.match(
    faults,
    faults.map(() => LOST),
  )
  t.ok(await until(async () => (await first.lossEndsInMs()) !== undefined))
  await first.acceptLoss()
  t.ok(await until(() => servers.every(({ condition }) => !condition().isLost)))
  await wait(1500)
  t.ok(
    servers.every(({ condition }) => !condition().isLost),
    'and it is accepted for all of them',
  )
})

t.test('the time limit ends it, too', async t => {
  const redis = await redisOf(t)
  const store = await serverOn(t, redis, 3_000)
  const ref = await sessionOn(store)
  await store.client.flushall()
  t.match(await faultOf(() => store.families.rotate(presented(ref, 1))), LOST)
  t.ok(await until(() => !store.condition().isLost))
  t.match(await verdictOf(store, ref), { reason: 'family_unknown' })
})

t.test('a server restarted without data', async t => {
  const redis = await redisOf(t)
  const store = await serverOn(t, redis)
  const ref = await sessionOn(store)
  t.equal(await store.keys.save({ ...EMPTY_RING, keys: [] }), true)
  t.match(await store.keys.load(), { version: 1 })
  await redis.stop()
  await redisOf(t, [], redis.port)
  t.ok(await until(() => store.condition().isLost && store.condition().isReached))
  t.same(store.condition(), {
    isReached: true,
    isLost: true,
    revocations: { kept: 0, repeated: 0 },
  })
  t.match(await faultOf(() => store.families.rotate(presented(ref, 1))), LOST)
  t.match(await store.keys.load(), { version: 1 }, 'the key ring was put back')
})

t.test('nobody makes keys for a store that lost them', async t => {
  const redis = await redisOf(t)
  const store = await serverOn(t, redis)
  await store.keys.save(EMPTY_RING)
  await store.keys.load()
  await store.client.flushall()
  t.match(await faultOf(() => store.keys.load()), LOST)
  t.match(await store.keys.load(), { version: 1 }, 'it was put back')
})

t.test(
  'a server restarted from an old snapshot: revocations are put back before anything is answered',
  async t => {
    const dir = t.testdir()
    const redis = await redisOf(t, ['--dir', dir])
    const store = await serverOn(t, redis)
    const ended = await sessionOn(store)
    const [token, reused] = [await signIn(store, tag), await signIn(store, tag)]
    await store.client.save()
    await store.families.end({ ...ended, clientId: null })
    await store.accessTokens.revoke({
      ...token,
      jti: 'dead',
      expiresAt: Date.now() + HOUR,
    })
    t.match(await store.families.rotate(presented(reused, 9)), { kind: 'reused' })
    await redis.stop()
    await redisOf(t, ['--dir', dir], redis.port)
    t.ok(
      await until(() =>
        store.accessTokens.check({ ...token, jti: 'living' }).then(
          ({ kind }) => kind === 'active',
          () => false,
        ),
      ),
    )
    t.equal(store.condition().isLost, false)
    t.same(await store.accessTokens.check({ ...token, jti: 'dead' }), {
      kind: 'refused',
      reason: 'token_revoked',
    })
    t.same(await store.families.rotate(presented(ended, 1)), {
      kind: 'refused',
      reason: 'family_ended',
    })
    t.same(await store.families.rotate(presented(reused, 1)), {
      kind: 'refused',
      reason: 'family_ended',
    })
    t.same(store.condition().revocations, { kept: 3, repeated: 3 })
  },
)

t.test(
  'a server that starts on a store that somebody else emptied, before the others look',
  async t => {
    const redis = await redisOf(t)
    const old = await serverOn(t, redis)
    const ref = await sessionOn(old)
    await old.client.flushall()
    const fresh = await serverOn(t, redis)
    t.match(
      await faultOf(() => old.families.rotate(presented(ref, 1))),
      LOST,
      'who was there before knows better than who has just come',
    )
    t.ok(await until(() => fresh.condition().isLost))
  },
)

t.test(
  "a store whose identity can't be read, or that takes no second connection, is none",
  async t => {
    const redis = await redisOf(t)
    const plain = await createRedisStore({ ...PATIENT, url: redis.url })
    t.teardown(() => plain.close())
    await plain.client.hset('lk:epoch:0', 'no', 'text')
    await t.rejects(
      createRedisStore({ ...PATIENT, url: redis.url, lossPeriodMs: HOUR }),
      StoreUnavailable,
    )
    await plain.client.config('SET', 'maxclients', 2)
    await t.rejects(
      createRedisStore({ ...PATIENT, url: redis.url, replicas: 1 }),
      StoreUnavailable,
    )
  },
)

t.test('in a cluster', async t => {
  const redis = await startRedis({ cluster: true })
  t.teardown(() => redis.stop())
  const store = await serverOn(t, redis)
  const ref = await sessionOn(store)
  t.match(await store.families.rotate(presented(ref, 1)), { kind: 'rotated' })
  // Some of its marks: one master of several came back empty.
  for (let index = 40; index < 64; index++) await store.client.del(`lk:epoch:${index}`)
  t.ok(await until(() => store.condition().isLost && store.condition().isReached))
  await store.acceptLoss()
  t.ok(await until(() => !store.condition().isLost))
  t.match(await store.families.rotate(presented(ref, 2)), { kind: 'rotated' })
})

t.test('in a cluster whose master of the first mark is away', async t => {
  const redis = await startRedis({ cluster: true })
  t.teardown(() => redis.stop())
  const store = await serverOn(t, redis)
  const ref = await sessionOn(store)
  const get = store.client.get.bind(store.client)
  store.client.get = async (name: string) => {
    if (name === 'lk:epoch:0') throw new Error('Connection is closed.')
    return get(name)
  }
  t.match(await store.families.rotate(presented(ref, 1)), { kind: 'rotated' })
  t.match(
    await store.families.rotate(presented({ ...ref, sid: 'unknown' }, 1)),
    { reason: 'family_unknown' },
    'the marks of the others are as they were',
  )
  // Another master came back without its data: of what it doesn't know nobody can judge now.
  await store.client.del('lk:epoch:1')
  await t.rejects(store.families.rotate(presented({ ...ref, sid: 'unknown' }, 1)), {
    name: 'StoreUnavailable',
    reason: "the master that knows the store's identity is away",
  })
  t.equal(store.condition().isLost, false, 'nor is it called a loss')
})

t.test('the latest revocations are kept, and a failure is none', async t => {
  const revocations = createRevocations(2)
  const made: string[] = []
  for (const key of ['a', 'b', 'a', 'c']) {
    revocations.remember(key, async () => {
      made.push(key)
    })
  }
  await revocations.repeat()
  t.same(made, ['a', 'c'])
  t.same(revocations.count(), { kept: 2, repeated: 2 })
  revocations.remember('d', () => Promise.reject(new StoreUnavailable(undefined, 'down')))
  await t.rejects(revocations.repeat(), StoreUnavailable)
})

t.test('operators are told', async t => {
  const redis = await redisOf(t, ['--appendonly', 'yes'])
  const store = await serverOn(t, redis)
  const warnings: string[] = []
  const metrics = createMetrics()
  const watch = createStoreWatch({
    store,
    clock: Date.now,
    log: {
      warn: message => {
        warnings.push(message)
      },
    },
    metrics,
  })
  watch.notice()
  t.same(watch.state(), { store: 'ok' })
  await store.client.flushall()
  t.ok(await until(() => store.condition().isLost && store.condition().isReached))
  for (let i = 0; i < 2; i++) watch.notice()
  t.match(watch.state(), { store: 'lost', advice: /until the back-up is restored, or/ })
  t.match(await metrics.render(), /^latchkey_store_lost 1$/m)
  const { latchkey, file } = commandLine(t)
  const env = { LATCHKEY_CONFIG: file, STORE: redis.url }
  t.match(await latchkey('store accept', '', { env }), {
    code: 0,
    out: 'the loss is accepted: the servers go on within a second\n',
  })
  t.match(await latchkey('store accept', '', { env }), {
    code: 1,
    err: 'latchkey: nothing lost\n',
  })
  t.match(
    await latchkey('store accept --json'),
    { code: 1, err: '{"error":"nothing_lost","message":"nothing lost"}\n' },
    'nor by SQLite',
  )
  t.ok(await until(() => !store.condition().isLost))
  watch.notice()
  t.match(warnings, [/has lost its data/, /accepted/])
  const text = await metrics.render()
  for (const line of [
    'latchkey_store_reached 1',
    'latchkey_store_lost 0',
    'latchkey_store_revocations_kept 0',
    'latchkey_store_revocations_repeated 0',
  ]) {
    t.match(text, line)
  }
})
